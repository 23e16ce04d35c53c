import sys
from pathlib import Path

# The small stand-in nets are a module of the tests' own.
sys.path.insert(0, str(Path(__file__).parent))
