"""The evidence study: can these wallets be told from lucky ones, and would a copier have earned?

One folder of recorded activity in, `evidence.json` and `report.html` out. Owns the questions,
the samples and the rules of honesty (nothing known later is used earlier, every choice is named);
the statistics are `whaletrader.quant`'s, the books `whaletrader.domain.ledger`'s. Called by
`whaletrader evidence`, which finds it by name.
"""

from whaletrader.lab.evidence.layout import LayoutError
from whaletrader.lab.evidence.options import OptionError, StudyOptions
from whaletrader.lab.evidence.run import run

__all__ = ["LayoutError", "OptionError", "StudyOptions", "run"]
