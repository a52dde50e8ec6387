"""How many decimals the currencies have: which amount a minor unit is.

The table is that of ISO 4217 ("minor unit" of list one), which card networks and acquirers count
in. CLDR, and with it every library that formats money for readers, gives fewer decimals for some
currencies whose small coins are out of use (HUF, IDR, ISK, IQD, COP, ...): reading an amount in
minor units by it would be wrong by a factor of 100. A few processors depart from ISO in their own
interfaces (ISK, UGX with two decimals); a log is taken to follow ISO.
"""

from __future__ import annotations

import difflib

from authopt.errors import UserError

_BY_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP
    BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP
    GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP
    LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD
    PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP
    SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG""",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

_WITHDRAWN = {0: "BYR", 2: "EEK HRK LTL LVL MRO SLL STD VEF ZWL"}
"""Currencies withdrawn since 2010, which older logs still hold (ISO 4217, list three)."""

DECIMALS: dict[str, int] = {
    currency: decimals
    for table in (_BY_DECIMALS, _WITHDRAWN)
    for decimals, currencies in table.items()
    for currency in currencies.split()
}
"""Decimals of every currency of ISO 4217, by its code."""


def decimals_of(currency: str) -> int | None:
    """Decimals of a currency's major unit; None where ISO 4217 has no such code."""
    return DECIMALS.get(currency)


def known_currency(currency: str, where: str) -> str:
    """The code itself, or a UserError that says where it stands.

    Parameters
    ----------
    currency
        the text that should be a code of ISO 4217.
    where
        file and key, for the message.
    """
    if currency in DECIMALS:
        return currency
    near = difflib.get_close_matches(currency.upper(), DECIMALS, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise UserError(f"{where}: {currency!r} is no ISO 4217 currency such as EUR{hint}")
