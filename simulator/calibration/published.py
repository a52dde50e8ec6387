"""What is published about declines and recoveries: figures, ranges and where they stand.

They are figures of vendors and of studies that name no data: to be read as such. Where several
sources differ, the range spans them. Where there is one figure alone, the range is a quarter of it
to either side, unless the entry says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """One figure of a log, and the range in which published ones lie.

    Attributes
    ----------
    key
        its name in ``measure.measured`` and in JSON.
    what
        in words.
    low, high
        the range, ends included; None where no source bounds that side.
    said
        what the sources say.
    sources
        who says it, and the host that carries it.
    unit
        ``%`` of something, or ``x`` for a ratio.
    """

    key: str
    what: str
    low: float | None
    high: float | None
    said: str
    sources: str
    unit: str = "%"

    def holds(self, value: float) -> bool:
        """Whether a measured value lies in the range; one that is not known (NaN) does not."""
        above = self.low is None or value >= self.low
        below = self.high is None or value <= self.high
        return value == value and above and below


PUBLISHED = (
    Published(
        "checkout_declined",
        "first checkout attempts (CIT) declined",
        0.05,
        0.15,
        "5-10% of card-not-present attempts in many studies; about 15% for digital goods",
        "Checkout.com; Ethoca, via Soar Payments 2016",
    ),
    Published(
        "subscription_declined",
        "first subscription attempts (MIT) declined",
        0.05,
        0.24,
        "5-18%; 9% typical; 24% on average",
        "Recurly, via Churnward; Slicker 2026; Revaly 2026 (revaly.co)",
    ),
    Published(
        "subscription_to_checkout",
        "declines of subscriptions against those of checkouts",
        1.0,
        None,
        "recurring payments are declined more often",
        "Checkout.com",
        "x",
    ),
    Published(
        "prepaid_to_credit",
        "subscription declines of prepaid against credit cards",
        1.5,
        2.5,
        "7.8% against 3.9%",
        "Recurly 2024, via dunningcompare.com",
        "x",
    ),
    Published(
        "no_funds",
        "declines at first attempt for lack of funds",
        0.38,
        0.50,
        "38%; 44%; almost half",
        "Stripe 2024, via dunningcompare.com; Ethoca; Spreedly 2018",
    ),
    Published(
        "suspected",
        "declines at first attempt for suspected fraud",
        0.07,
        0.17,
        "9.4%; 17% are blocks of the bank's security",
        "Ethoca; Adyen 2024, via dunningcompare.com",
    ),
    Published(
        "generic",
        "declines that come back as 05",
        0.17,
        0.60,
        "17% generic; over 60% of Visa's before its decline categories",
        "Stripe 2024, via dunningcompare.com; retries.com",
    ),
    Published(
        "hard",
        "subscription declines at first attempt that are hard",
        0.20,
        0.40,
        "60-70% are soft; 70-80% are soft",
        "finsi.ai, rezoki.com; rechurn.io",
    ),
    Published(
        "recovered",
        "failed subscription payments recovered in the end",
        0.357,
        0.71,
        "median 47.6%; 53% to 71% by optimised retries at large merchants",
        "Slicker, Baremetrics; Recurly 2026",
    ),
    Published(
        "recovered_within_10_days",
        "recoveries that come within 10 days",
        0.85,
        0.95,
        "90%; five points to either side",
        "Recurly 2026",
    ),
    Published(
        "recovered_day_2_to_12",
        "recoveries of missing funds from day 2 to day 12 (after 1 day, before 12)",
        0.50,
        None,
        "the majority",
        "Recurly 2018",
    ),
    Published(
        "recovered_by_first_retry",
        "failed subscription payments recovered by a first retry within 48 h",
        0.18,
        0.30,
        "24%",
        "dunningcompare.com",
    ),
    Published(
        "recovered_by_3_retries",
        "failed subscription payments recovered after 3 retries",
        0.26,
        0.44,
        "35%",
        "dunningcompare.com",
    ),
    Published(
        "recovered_by_5_retries",
        "failed subscription payments recovered after 5 retries",
        0.375,
        0.625,
        "50%",
        "dunningcompare.com",
    ),
    Published(
        "no_funds_recovered",
        "subscription payments without funds recovered",
        0.48,
        0.71,
        "48-65% with a retry after 48 h; up to 71% of all by optimised retries",
        "Recurly 2024, via dunningcompare.com; Recurly 2026",
    ),
    Published(
        "no_funds_to_all_recovered",
        "recovery where funds were missing against recovery of all",
        1.0,
        None,
        "insufficient funds recover best",
        "Recurly 2018",
        "x",
    ),
    Published(
        "expired_recovered",
        "subscription payments with an expired card recovered",
        0.40,
        0.85,
        "an updater service saves 40-60% of the churn by expiry; 70-85% recover with one",
        "Visa and Mastercard account updaters, via dunningcompare.com",
    ),
    Published(
        "token_lift",
        "approval of first attempts with a network token against those without, like for like",
        1.004,
        1.046,
        "3-8% fewer declines, that is 0.4% to 1% more approvals; 3% to 4.6% more approvals",
        "Stripe, via DunningCompare; Visa (navigate.visa.com, exeleonmagazine.com)",
        "x",
    ),
)
"""The figures that ``authopt world calibrate`` holds a log against."""
