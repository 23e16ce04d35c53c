"""Words and phrases with the emotions they name: all that the text-to-style map is trained on.

Written by hand for mien, copied from no lexicon. Each line is a text, then emotions with their intensity,
0..3 each. A phrase of several emotions shares their strength out, so that no line sums to more than 3. Words
in tests/engine/unseen_phrases.py must not occur here; tools/train_text_style.py refuses to train if one does.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.emotion import EMOTIONS, HIGHEST_INTENSITY

DEGREES: Final[dict[str, float]] = {
    "barely": 0.25, "hardly": 0.25, "scarcely": 0.25, "faintly": 0.35, "slightly": 0.45, "a tiny bit": 0.35,
    "a little": 0.5, "a bit": 0.5, "a touch": 0.45, "mildly": 0.5, "somewhat": 0.65, "vaguely": 0.45,
    "moderately": 0.8, "rather": 0.9, "quite": 1.0, "pretty": 1.0, "fairly": 0.85, "clearly": 1.1,
    "really": 1.3, "very": 1.35, "deeply": 1.45, "so": 1.25, "terribly": 1.45, "extremely": 1.6,
    "incredibly": 1.6, "absolutely": 1.55, "utterly": 1.6, "completely": 1.55, "totally": 1.5,
    "overwhelmingly": 1.7, "not at all": 0.0, "never": 0.0, "no longer": 0.0,
}  # fmt: skip
"""What an adverb multiplies an adjective's intensity by."""

AMOUNTS: Final[dict[str, float]] = {
    "a hint of": 0.35, "a trace of": 0.3, "a touch of": 0.4, "a little": 0.5, "some": 0.7, "mild": 0.5,
    "slight": 0.45, "quiet": 0.6, "clear": 1.1, "real": 1.2, "great": 1.4, "deep": 1.45, "pure": 1.45,
    "intense": 1.6, "extreme": 1.65, "overwhelming": 1.7, "no": 0.0, "without any": 0.0,
}  # fmt: skip
"""What stands before a noun, and what it multiplies the intensity by."""

# Text, then emotions with their intensities.
ADJECTIVES: Final = """
angry: angry 1.9
mad: angry 1.8
furious: angry 3
enraged: angry 3
infuriated: angry 2.8
outraged: angry 2.6 disgusted .4
incensed: angry 2.8
irate: angry 2.6
fuming: angry 2.5
wrathful: angry 2.8
annoyed: angry 1.1
cross: angry 1.2
grumpy: angry .9 sad .3
grouchy: angry 1
cranky: angry 1
bad-tempered: angry 1.4
short-tempered: angry 1.5
exasperated: angry 1.5 contempt .4
frustrated: angry 1.4 sad .4
aggravated: angry 1.5
bothered: angry .7 sad .2
vexed: angry 1.2
indignant: angry 1.7 contempt .5
resentful: angry 1.3 contempt .5
bitter: angry 1.1 sad .7 contempt .3
hostile: angry 1.9 contempt .6
aggressive: angry 2.3
menacing: angry 2.1
vengeful: angry 2.2 contempt .4
spiteful: angry 1.4 contempt 1
stern: angry .8
impatient: angry 1
offended: angry 1.3 sad .3 contempt .3
insulted: angry 1.6 contempt .3
provoked: angry 1.6
envious: angry .9 contempt .5 sad .3
stubborn: angry .6
defiant: angry 1.2 contempt .5
moody: angry .5 sad .7
contemptuous: contempt 2.3
scornful: contempt 2.3
disdainful: contempt 2.2
haughty: contempt 1.8
arrogant: contempt 1.8
smug: contempt 1.5 happy .6
snooty: contempt 1.7
condescending: contempt 1.9
patronizing: contempt 1.7
mocking: contempt 1.7 happy .4
sneering: contempt 2.2
derisive: contempt 2
dismissive: contempt 1.5
cynical: contempt 1.4
sceptical: contempt .9 surprised .2
unimpressed: contempt 1
snide: contempt 1.7
conceited: contempt 1.5 happy .4
self-satisfied: contempt 1.2 happy .8
supercilious: contempt 2
aloof: contempt .9
cold: contempt 1
disrespectful: contempt 1.6 angry .4
ironic: contempt .9 happy .4
disgusted: disgusted 2.2
grossed out: disgusted 2.1
sickened: disgusted 2.3
nauseated: disgusted 2.2
nauseous: disgusted 2
repelled: disgusted 2.1
repulsed: disgusted 2.5
appalled: disgusted 1.5 surprised .8 angry .4
horrified: fear 1.7 disgusted .8 surprised .4
squeamish: disgusted 1.2 fear .3
disturbed: disgusted .8 fear .8
put off: disgusted 1
distasteful: disgusted 1.2
loathing: disgusted 1.8 angry .8
full of aversion: disgusted 1.8
sick to the stomach: disgusted 2.2
afraid: fear 1.8
scared: fear 1.9
frightened: fear 2.1
fearful: fear 1.8
terrified: fear 3
panicked: fear 2.8
panicky: fear 2.4
horror-struck: fear 2.8
anxious: fear 1.3
nervous: fear 1.1
uneasy: fear .8
tense: fear .8 angry .3
apprehensive: fear 1.1
alarmed: fear 1.6 surprised .8
spooked: fear 1.7 surprised .4
timid: fear .9
shy: fear .6
insecure: fear .8 sad .3
on edge: fear 1.2 angry .2
jittery: fear 1.1
dreading it: fear 1.7
threatened: fear 1.8 angry .2
paranoid: fear 1.7
hysterical: fear 2.4
distressed: fear 1.3 sad 1.1
desperate: fear 1.3 sad 1.2
concerned: fear .8 sad .4
stressed: fear 1 angry .4
intimidated: fear 1.4
cautious: fear .5
helpless: fear 1.1 sad 1.2
happy: happy 1.9
glad: happy 1.5
joyful: happy 2.2
joyous: happy 2.3
cheerful: happy 1.8
merry: happy 1.9
delighted: happy 2.3 surprised .2
ecstatic: happy 3
elated: happy 2.7
euphoric: happy 2.9
overjoyed: happy 2.8 surprised .2
jubilant: happy 2.7
blissful: happy 2.3
radiant: happy 2.2
exhilarated: happy 2.5 surprised .3
excited: happy 2 surprised .5
enthusiastic: happy 2.1
eager: happy 1.4
pleased: happy 1.3
content: happy 1
satisfied: happy 1.1
cheery: happy 1.7
jolly: happy 1.8
playful: happy 1.5
good-humoured: happy 1.3
friendly: happy 1.2
warm: happy 1.1
kind: happy 1
welcoming: happy 1.2
loving: happy 1.5
tender: happy 1
affectionate: happy 1.4
grateful: happy 1.4
thankful: happy 1.3
hopeful: happy 1.1
optimistic: happy 1.2
relieved: happy 1.3
tickled: happy 1.6
entertained: happy 1.3
triumphant: happy 2.1 contempt .3
flattered: happy 1.4 surprised .2
charmed: happy 1.4
in love: happy 1.9
upbeat: happy 1.6
lighthearted: happy 1.4
smiling: happy 1.6
laughing: happy 2.4
grinning: happy 2
chuckling: happy 1.6
giggling: happy 2
wistful: sad .8 happy .3
nostalgic: sad .7 happy .6
sad: sad 1.8
unhappy: sad 1.5
sorrowful: sad 2
mournful: sad 2.1
miserable: sad 2.4
depressed: sad 2.3
gloomy: sad 1.5
glum: sad 1.3
downcast: sad 1.5
dejected: sad 1.8
despondent: sad 2.1
disheartened: sad 1.6
discouraged: sad 1.4
disappointed: sad 1.4
let down: sad 1.3
devastated: sad 2.9
crushed: sad 2.5
shattered: sad 2.5
broken: sad 2.3
inconsolable: sad 2.9
tearful: sad 2.2
weeping: sad 2.6
crying: sad 2.5
sobbing: sad 2.8
lonely: sad 1.6
lonesome: sad 1.5
hopeless: sad 2
forlorn: sad 1.9
blue: sad 1.3
low: sad 1.2
downhearted: sad 1.6
hurt: sad 1.7 angry .3
wounded: sad 1.6
regretful: sad 1.2
guilty: sad 1 fear .5
ashamed: sad 1.2 fear .5
embarrassed: fear .6 sad .4 surprised .3
sorry: sad 1.1
apologetic: sad .9
pitying: sad 1
sympathetic: sad .7
bereaved: sad 2.3
abandoned: sad 1.9 fear .3
dismal: sad 1.5
troubled: sad .9 fear .8
weary: sad .6
surprised: surprised 1.9
astonished: surprised 2.5
amazed: surprised 2.2 happy .4
astounded: surprised 2.7
stunned: surprised 2.5
flabbergasted: surprised 2.8
dumbfounded: surprised 2.6
shocked: surprised 2.2 fear .6
speechless: surprised 2.2
awestruck: surprised 2 happy .5
amazed and delighted: surprised 1.4 happy 1.4
taken aback: surprised 1.6
caught off guard: surprised 1.6
baffled: surprised 1.4
bewildered: surprised 1.4 fear .2
perplexed: surprised 1
puzzled: surprised .8
confused: surprised .8 fear .2
curious: surprised .6 happy .3
intrigued: surprised .7 happy .4
incredulous: surprised 1.7 contempt .3
disbelieving: surprised 1.6
wide-eyed: surprised 1.8
in awe: surprised 1.7 happy .5
thunderstruck: surprised 2.8
impressed: surprised .9 happy .8
neutral: neutral 0
calm: neutral 0
expressionless: neutral 0
blank: neutral 0
composed: neutral 0
relaxed: happy .2
at ease: happy .3
peaceful: happy .3
serene: happy .3
emotionless: neutral 0
unemotional: neutral 0
impassive: neutral 0
stone-faced: neutral 0
matter-of-fact: neutral 0
businesslike: neutral 0
factual: neutral 0
objective: neutral 0
sober: neutral 0
attentive: neutral 0
thoughtful: neutral 0
focused: neutral 0
concentrated: neutral 0
indifferent: contempt .2
bored: contempt .4 sad .3
tired: sad .3
sleepy: sad .2
serious: angry .2
formal: neutral 0
ordinary: neutral 0
plain: neutral 0
steady: neutral 0
patient: neutral 0
unmoved: neutral 0
"""

NOUNS: Final = """
anger: angry 2
fury: angry 3
wrath: angry 2.7
annoyance: angry 1.1
frustration: angry 1.4 sad .4
hostility: angry 1.9 contempt .5
resentment: angry 1.3 contempt .5
outrage: angry 2.6 disgusted .4
impatience: angry 1
indignation: angry 1.7 contempt .5
bitterness: angry 1.1 sad .7
envy: angry .9 contempt .5 sad .3
vengeance: angry 2.2 contempt .4
enmity: angry 1.6 contempt .6 disgusted .4
animosity: angry 1.7 contempt .5 disgusted .3
malice: angry 1.6 contempt 1
contempt: contempt 2.3
scorn: contempt 2.3
disdain: contempt 2.2
arrogance: contempt 1.8
mockery: contempt 1.7 happy .4
condescension: contempt 1.9
cynicism: contempt 1.4
a sneer: contempt 2
a scoff: contempt 1.6
an eye roll: contempt 1.4
derision: contempt 2
irony: contempt .9 happy .4
disgust: disgusted 2.2
revulsion: disgusted 2.6
repugnance: disgusted 2.3
nausea: disgusted 2.1
aversion: disgusted 1.6
distaste: disgusted 1.2
abhorrence: disgusted 2.1 angry .6
detestation: disgusted 1.5 angry 1
a grimace of disgust: disgusted 2
fear: fear 2
fright: fear 2.1
horror: fear 2.2 disgusted .6
dread: fear 2
panic: fear 2.8
anxiety: fear 1.4
nervousness: fear 1.1
unease: fear .8
alarm: fear 1.6 surprised .8
apprehension: fear 1.1
stage fright: fear 1.5
distress: fear 1.3 sad 1.1
despair: sad 2.1 fear .8
stress: fear 1 angry .4
happiness: happy 2
joy: happy 2.3
delight: happy 2.3
bliss: happy 2.3
ecstasy: happy 3
euphoria: happy 2.9
elation: happy 2.7
cheer: happy 1.7
gladness: happy 1.6
pleasure: happy 1.6
contentment: happy 1
satisfaction: happy 1.1
excitement: happy 2 surprised .5
enthusiasm: happy 2.1
love: happy 1.7
affection: happy 1.4
tenderness: happy 1
gratitude: happy 1.4
hope: happy 1.1
relief: happy 1.3
triumph: happy 2.1 contempt .3
mirth: happy 2
laughter: happy 2.4
a smile: happy 1.4
a broad grin: happy 2.1
a polite smile: happy .7
a warm smile: happy 1.5
kindness: happy 1
fun: happy 1.7
sadness: sad 1.9
sorrow: sad 2
misery: sad 2.3
unhappiness: sad 1.6
depression: sad 2.2
gloom: sad 1.5
disappointment: sad 1.4
loneliness: sad 1.6
heartache: sad 2.1
anguish: sad 2.1 fear .7
mourning: sad 2.2
regret: sad 1.2
remorse: sad 1.3 fear .3
shame: sad 1.2 fear .5
guilt: sad 1 fear .5
pity: sad 1
nostalgia: sad .7 happy .6
longing: sad 1.1 happy .2
a frown: angry .8 sad .5
sobs: sad 2.7
surprise: surprised 1.9
astonishment: surprised 2.5
amazement: surprised 2.2 happy .4
shock: surprised 2.2 fear .6
wonder: surprised 1.4 happy .6
awe: surprised 1.7 happy .5
disbelief: surprised 1.7
bewilderment: surprised 1.4
confusion: surprised .9
curiosity: surprised .6 happy .3
incredulity: surprised 1.7 contempt .3
raised eyebrows: surprised 1
calmness: neutral 0
composure: neutral 0
neutrality: neutral 0
serenity: happy .3
indifference: contempt .2
boredom: contempt .4 sad .3
concentration: neutral 0
"""

SENTENCES: Final = """
get out of my house right now: angry 2.6
leave me alone: angry 1.6 sad .3
I have had enough of this: angry 1.9
stop it at once: angry 2
this is an outrage: angry 2.4
you lied to me: angry 1.8 sad .7
he is shouting at the top of his voice: angry 2.6
she slammed the door: angry 2.1
she grits her teeth: angry 1.7
he clenched his fists: angry 2
someone scratched my new car: angry 1.9
they cheated us: angry 2 contempt .4
don't you ever touch my things again: angry 2.4
his blood is boiling: angry 2.7
she sees red: angry 2.6
he has lost his temper: angry 2.6
he is ready to explode: angry 2.8
losing patience with this: angry 1.4
sick and tired of the noise: angry 1.4 disgusted .3
what on earth were you thinking: angry 1.5 surprised .4
I want to punch a wall: angry 2.6
I can't stand him: angry 1.2 disgusted .7 contempt .6
I despise you: contempt 1.5 disgusted .7 angry .7
you are beneath me: contempt 2.1
oh please, spare me: contempt 1.5
is that the best you can do: contempt 1.7
how pathetic: contempt 1.9
what a loser: contempt 1.9
she rolls her eyes: contempt 1.4
he thinks he is better than everyone: contempt 1.8
I could not care less: contempt 1
whatever you say: contempt .9
as if you knew anything about it: contempt 1.7
he snorted at the idea: contempt 1.5
yeah, right: contempt 1.2
a crooked one-sided smile: contempt 1.2 happy .4
ew, gross: disgusted 2.2
that is disgusting: disgusted 2.2
the milk has gone sour: disgusted 1.6
there is mould on the bread: disgusted 1.6
he is about to throw up: disgusted 2.4
it stinks in here: disgusted 1.8
what a foul stench: disgusted 2.1
she wrinkles her face at the food: disgusted 1.7
maggots in the meat: disgusted 2.6
I stepped in something slimy: disgusted 1.8
the toilet is filthy: disgusted 2
ugh, get that away from me: disgusted 2
a bitter taste in the mouth: disgusted 1.3
vomit on the floor: disgusted 2.3
rotten eggs: disgusted 1.9
a cockroach in the soup: disgusted 2 surprised .6
a rat ran over my foot: fear 1.3 disgusted 1.2
please don't hurt me: fear 2.4 sad .4
help, somebody is following me: fear 2.4
I heard a noise in the cellar: fear 1.5 surprised .3
we are all going to die: fear 2.8
run for your lives: fear 2.7
there is a snake in the grass: fear 1.8 surprised .5
a huge insect is crawling up my arm: fear 1.5 disgusted 1.2
her hands are trembling: fear 1.7
his heart is pounding: fear 1.6
frozen with fear: fear 2.6
white as a sheet: fear 2
I have an exam tomorrow and I know nothing: fear 1.5
what if something goes wrong: fear 1.2
the plane is falling: fear 2.8
he has a gun: fear 2.4 surprised .4
don't leave me alone in the dark: fear 1.9 sad .3
butterflies in my stomach: fear .8 happy .5
cold sweat on his forehead: fear 1.6
she bites her nails: fear 1
I hope nothing bad happened to them: fear 1.2 sad .4
what a wonderful day: happy 1.9
I got the job: happy 2.3 surprised .4
she said yes: happy 2.5 surprised .3
it's a girl, and both are well: happy 2.4
happy birthday to you: happy 2
we are the champions: happy 2.5
the sun is shining and I am on holiday: happy 1.9
I love you: happy 1.9
thank you so much: happy 1.6
it's so good to see you: happy 1.9
that was hilarious: happy 2.2
this is the best day of my life: happy 2.9
on cloud nine: happy 2.7
on top of the world: happy 2.7
walking on air: happy 2.6
full of the joys of spring: happy 2.2
she can't stop smiling: happy 2.1
he bursts out laughing: happy 2.7
jumping for joy: happy 2.8
with a twinkle in the eye: happy 1.3
nice to meet you: happy 1.1
well done, my friend: happy 1.5
all is well: happy .9
a cosy evening with friends: happy 1.3
finally the weekend: happy 1.5
my team has won: happy 2.1
first prize for my daughter: happy 2.2 surprised .3
a surprise party for me: surprised 1.5 happy 1.4
what a lovely surprise: surprised 1.4 happy 1.4
my grandmother has passed away: sad 2.5
he lost his mother: sad 2.5
she left me: sad 2.2
I miss you so much: sad 1.7
nobody came to my birthday: sad 1.9
nobody loves me: sad 2.1
the cat has been run over: sad 2.3
we had to say goodbye forever: sad 2.2
I failed again: sad 1.6
water runs down from her reddened eyes: sad 2.2
with a lump in the throat: sad 1.6
with a heavy heart: sad 1.7
feeling down: sad 1.4
in low spirits: sad 1.4
under the weather: sad .7
everything is lost: sad 2.2 fear .4
there is no hope left: sad 2.2
at the funeral: sad 2
they lost the final: sad 1.6
far away from my family: sad 1.3
I wish I had never done it: sad 1.4
she cries herself to sleep: sad 2.6
a broken toy: sad .9
I am so sorry for your loss: sad 1.7
what: surprised 1.4
wow: surprised 1.9 happy .6
no way: surprised 1.7
you are kidding: surprised 1.6
oh my god: surprised 1.9 fear .3
I did not see that coming: surprised 1.9
who would have thought: surprised 1.4
is it really you: surprised 1.7 happy .6
her jaw dropped: surprised 2.4
his eyes widen: surprised 1.8
out of the blue: surprised 1.4
suddenly the lights went on: surprised 1.4
a rabbit out of the hat: surprised 1.3 happy .5
I never expected this: surprised 1.8
how is that possible: surprised 1.6
well I never: surprised 1.6
it is a miracle: surprised 1.6 happy 1
the train leaves at nine: neutral 0
please turn left at the next corner: neutral 0
the meeting is on Tuesday: neutral 0
water boils at a hundred degrees: neutral 0
he explains how the machine works: neutral 0
the table has four legs: neutral 0
press the button to go on: neutral 0
the report has twelve pages: neutral 0
I will send you the file: neutral 0
a passport photo: neutral 0
reading a list aloud: neutral 0
a weather forecast: neutral 0
listening quietly: neutral 0
thinking it over: neutral 0
with an empty face: neutral 0
showing nothing of what he feels: neutral 0
no feeling at all: neutral 0
without emotion: neutral 0
cool and collected: neutral 0
keeping a straight face: neutral 0
a face like a mask: neutral 0
still water: neutral 0
the shop opens at eight: neutral 0
two plus two is four: neutral 0
the capital of France is Paris: neutral 0
yes: neutral 0
okay: neutral 0
the door is open: neutral 0
she is waiting for the bus: neutral 0
it is half past ten: neutral 0
a pencil and a sheet of paper: neutral 0
the car is parked in the street: neutral 0
we take the second road on the right: neutral 0
he is drinking a glass of water: neutral 0
the number you have dialled: neutral 0
chapter three, page forty: neutral 0
good morning, this is the information desk: neutral 0
an employee at the counter: neutral 0
looking into the camera: neutral 0
looking straight ahead: neutral 0
a resting face: neutral 0
saying nothing: neutral 0
as usual: neutral 0
normal: neutral 0
everyday: neutral 0
quiet: neutral 0
still: neutral 0
a description of a house: neutral 0
the quarterly figures: neutral 0
it may rain in the afternoon: neutral 0
level-headed: neutral 0
even-tempered: neutral 0
unperturbed: neutral 0
unaffected: neutral 0
detached: contempt .2
poised: neutral 0
"""

_HEADS: Final = (
    "{}", "{}", "feeling {}", "she is {}", "he looks {}", "I am {}", "a {} face", "sounding {}",
    "they seem {}",
)  # fmt: skip
_NOUN_HEADS: Final = ("{}", "{}", "with {}", "full of {}", "{} in her face", "a look of {}")
_IN_Y: Final = ("angry", "happy", "gloomy", "moody", "uneasy")
_JOINS: Final = ("{} and {}", "{} but also {}", "{}, {}", "both {} and {}", "half {}, half {}")

Target = NDArray[np.float32]


def read_lines(block: str) -> list[tuple[str, Target]]:
    """Return the texts of a block with their emotions, float32[8]: intensity / 3."""
    found = []
    for line in block.strip().splitlines():
        text, _, mixture = line.rpartition(": ")
        parts = mixture.split()
        style = np.zeros(len(EMOTIONS), np.float32)
        for emotion, intensity in zip(parts[::2], parts[1::2], strict=True):
            style[EMOTIONS.index(emotion)] = float(intensity) / HIGHEST_INTENSITY
        style[EMOTIONS.index("neutral")] = 0.0
        if style.sum() > 1.0 + 1e-6:
            raise ValueError(f"{text} is stronger than {HIGHEST_INTENSITY:g}")
        found.append((text, style))
    return found


def adverb(adjective: str) -> str | None:
    """Return "sadly" for "sad", or None where there is no such word."""
    if " " in adjective or "-" in adjective or adjective.endswith(("ed", "ing", "ly", "ic", "y", "en")):
        return f"{adjective[:-1]}ily" if adjective in _IN_Y else None
    return f"{adjective}ly" if not adjective.endswith("le") else f"{adjective[:-1]}y"


def draw_texts(
    rng: np.random.Generator, concepts: list[tuple[str, str, Target]], count: int
) -> list[tuple[str, Target]]:
    """Compose texts of the concepts (kind, text, style): with degrees, in frames, and two at a time."""
    adjectives = [(text, style) for kind, text, style in concepts if kind == "adjective"]
    nouns = [(text, style) for kind, text, style in concepts if kind == "noun"]
    made = [(text, style) for _, text, style in concepts]
    while len(made) < count:
        roll = rng.random()
        if roll < 0.22:
            made.append(_graded(rng, adjectives, DEGREES, _HEADS))
        elif roll < 0.42:
            made.append(_graded(rng, nouns, AMOUNTS, _NOUN_HEADS))
        elif roll < 0.56:
            text, style = adjectives[rng.integers(len(adjectives))]
            made.append((_HEADS[rng.integers(len(_HEADS))].format(text), style))
        elif roll < 0.66:
            text, style = nouns[rng.integers(len(nouns))]
            made.append((_NOUN_HEADS[rng.integers(len(_NOUN_HEADS))].format(text), style))
        else:
            made.append(_compound(rng, adjectives))
    return made


def _graded(
    rng: np.random.Generator,
    words: list[tuple[str, Target]],
    degrees: dict[str, float],
    heads: tuple[str, ...],
) -> tuple[str, Target]:
    text, style = words[rng.integers(len(words))]
    degree = list(degrees)[rng.integers(len(degrees))]
    text = text.removeprefix("a ").removeprefix("an ")
    graded = style * np.float32(degrees[degree])
    return heads[rng.integers(len(heads))].format(f"{degree} {text}"), _at_most_full(graded)


def _compound(rng: np.random.Generator, words: list[tuple[str, Target]]) -> tuple[str, Target]:
    """Two at once: half of each; "sadly ..." gives the adverb two fifths."""
    (first, one), (second, other) = (words[rng.integers(len(words))] for _ in range(2))
    manner = adverb(first)
    if manner and rng.random() < 0.5:
        return f"{manner} {second}", _at_most_full(0.45 * one + 0.6 * other)
    return _JOINS[rng.integers(len(_JOINS))].format(first, second), _at_most_full(0.55 * (one + other))


def _at_most_full(style: Target) -> Target:
    return style / max(1.0, float(style.sum()))
