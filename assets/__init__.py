"""Icons, fonts and the sample documents."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
