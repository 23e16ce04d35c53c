"""Words of languages other than English, in the phonemes that Kokoro speaks (IPA, a symbol a sound).

Written by hand from common words, so that no grapheme-to-phoneme package is needed. `make_utterance` strings
them together; what it says makes no sense, but every sound stands where the language lets it stand. Mandarin
is made of its own syllables, each with a tone. HELD_OUT languages are spoken in tests alone.
"""

from typing import Final

import numpy as np

HELD_OUT: Final = ("hindi", "italian")

WORDS: Final = {
    "french": """bɔ̃ʒˈuʁ madˈam məsjˈø vudʁˈɛ œ̃ pˈø dˈø pˈɛ̃ pˈɔm ʃˈoz oʒuʁdɥˈi fˈam ˈɔm bˈo plɥˈi nɥˈi
fˈœj sˈœʁ pˈœʁ ʃəvˈal vwatˈyʁ mɛzˈɔ̃ ʁˈy byʁˈo ʁˈuʒ blˈø vˈɛʁ fʁomˈaʒ ɡaʁsˈɔ̃ paʁlˈe kɔ̃bjˈɛ̃ mˈɛ̃ ʃˈɑ̃bʁ
tˈɑ̃ vˈɑ̃ pˈɑ̃s mɔ̃tˈaɲ fˈij mwˈa twˈa vˈu nˈu avˈɛk puʁkwˈa ʁəvwˈaʁ sˈɛt ʁˈɔb ʒˈɔn lˈyn mˈyʁ bˈwa puvˈwaʁ
ɑ̃bʁasˈe ɛ̃pɔʁtˈɑ̃ ləsˈɔ̃""",
    "spanish": """ˈola bwˈenos dˈias ɡustaɾˈia ˈun pˈoko ˈaɣwa poɾ faβˈoɾ maɲˈana tɾaβˈaxo ʧˈiko pˈero
ˈixo muʧˈaʧo famˈilja bˈino kaljˈente xˈente ʝˈuβja sjˈempɾe fwˈeɣo kompɾˈaɾ bjˈeɾnes pɾˈimo bˈomba ˈumeðo
sjuðˈað pwˈente mˈundo fˈutbol bˈeɾðe pˈapas mˈapa bˈamos kˈomo estˈas ˈala ˈuna mˈuxeɾ nˈoʧe lˈuna ˈotɾo
ˈumbɾa kampˈana eskwˈela bebˈiða""",
    "portuguese": """bˈoŋ ʤˈiɐ obɾiɡˈadu ˈaɡwɐ pˈowku mˈɐ̃j pˈɐ̃w koɾasˈɐ̃w ʃˈuvɐ ˈoʎus fˈiʎɐ mˈũtu
bˈõbɐ pɾˈajɐ ʒˈẽʧi sidˈaʤi amˈiɡu fuʧibˈɔw vˈeʎu nˈojʧi bɾazˈiw poɾtuɡˈes tɾabˈaʎu bebˈe avˈɔ avˈo ˈumɐ
sˈopɐ ʒanˈɛlɐ kˈɐ̃pu fevɾˈejɾu ˈumidu mˈeza pˈɔɾtɐ kˈazɐ vˈerdʒi bɐnˈɐnɐ mɐʃˈadu ˈowtɾu mˈuzikɐ lˈuvɐ
pɾimˈejɾu sˈõw""",
    "japanese": """koɲɲiʨiwa mizɯ kɯdasai kjoː asɯ neko inɯ sakɯɾa ɸɯne jama kaze ame hana çito kodomo
tomodaʨi ɡakkoː ɕimbɯɴ sempai maiɲiʨi tabeɾɯ nomimasɯ mimasɯ ikimasɯ oboeɾɯ asobimasɯ boːɕi mado paɴ bideo
ɸɯjɯ naʦɯ haɾɯ aki mise jasɯmi baŋɡohaɴ wataɕi waɾaɯ hoɴ omoɕiɾoi pika momo kabɯ zembɯ ʥikaɴ ʨizɯ mɯɕi
ɸɯɾi beŋkjoː ɾjokoː ɯmi""",
    "hindi": """nəməstˈeː mˈʊʤeː pˈaːniː ʧˈaːhɪeː ˈaːp kjˈaː kˈər rˈəheː hˈɛ̃ː bˈəʧʧaː pʰˈuːl bʰˈaːrət
mˈaː pˈɪtaː bˈəhən ɡˈər dˈoːst kɪtˈaːb sˈʊbəh ʃˈaːm rˈaːt dˈɪn mˈɔːsəm bˈaːrɪʃ pʰˈəl ˈaːm sˈeːb lˈəɽkaː
lˈəɽkiː ʈʰˈiːk ˈuːpər nˈiːʧeː bəhˈʊt əʧʧʰˈaː pjˈaːr ʋˈoː hˈəm tˈʊm ʧˈaːj dˈuːdʰ mˈuːbʰ pʊrˈaːnaː səmˈəj
ʋɪʃʋˈaːs bɪmˈaːr məkˈaːn pˈãːʋ ɡˈãːʋ""",
    "italian": """bwonʤˈorno ʧˈao ɡrˈaʦje vorrˈɛi bikkjˈɛre ˈakkwa pˈiʦːa ˈɔʤʤi fˈatʧo bˈɛllo fˈiʎːo ʃˈɛna
pˈeʃe sˈoɲːo kˈasa mˈamma bambˈino pˈopolo fjˈume vˈino ˈuva wˈɔvo pwˈɔ amˈiko lˈibro ʤovˈanni ʧˈɛlo
perkˈe kwˈando tˈutto fˈuɔko pˈjɔʤʤa mˈondo kˈampo ˈombra nˈɔtte dˈɔnna wˈɔmo bwˈɔno vˈerde rˈosso ɡˈatto
kˈane mˈusika parlˈare sˈɛmpre""",
}  # fmt: skip

INITIALS: Final = "p pʰ m f t tʰ n l k kʰ x ʨ ʨʰ ɕ ꭧ ꭧʰ ʂ ɻ ʦ ʦʰ s w j".split()
FINALS: Final = "a ai ei au ou an ən ɑŋ əŋ ʊŋ wo wei wan i u".split()
PALATAL_FINALS: Final = "i ja je jau jou jɛn in jɑŋ iŋ jʊŋ y ɥe ɥɛn yn".split()
TONES: Final = "→↗↓↘"

LANGUAGES: Final = (*WORDS, "mandarin")


def make_utterance(rng: np.random.Generator, language: str) -> str:
    """Return four to nine words of a language in Kokoro's phonemes."""
    count = int(rng.integers(4, 10))
    if language == "mandarin":
        words = [make_mandarin_word(rng) for _ in range(count)]
    else:
        words = [str(word) for word in rng.choice(WORDS[language].split(), count)]
    pause = int(rng.integers(1, count)) if rng.random() < 0.35 else 0
    if pause:
        words[pause - 1] += ","
    return " ".join(words) + str(rng.choice([".", ".", "?", "!"]))


def make_mandarin_word(rng: np.random.Generator) -> str:
    """Return one or two syllables, each an initial, a final that goes with it, and a tone."""
    syllables = []
    for _ in range(rng.integers(1, 3)):
        initial = str(rng.choice(INITIALS))
        finals = PALATAL_FINALS if initial[0] in "ʨɕ" else FINALS
        syllables.append(initial + str(rng.choice(finals)) + TONES[rng.integers(4)])
    return "".join(syllables)
