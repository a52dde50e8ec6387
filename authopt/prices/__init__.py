"""What routes charge, and amounts of money in different currencies."""

from authopt.prices.price_file import load_prices
from authopt.prices.prices import Prices

__all__ = ["Prices", "load_prices"]
