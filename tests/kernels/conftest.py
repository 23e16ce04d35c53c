import sys
from pathlib import Path

# Where kernels run is a module of the tests' own.
sys.path.insert(0, str(Path(__file__).parent))
