"""What the shipped tables of codes are to say, written out by hand and apart from them.

A line that goes missing in a table, or changes, differs from what stands here. Each key is the
networks that a line is for and the day from which it holds (empty: always).
"""

from __future__ import annotations

RESPONSES: dict[tuple[str, str], dict[str, str]] = {
    ("*", ""): {
        "never": "04 07 14 36 41 43 46 62 R0 R1 R3",
        "not_now": "09 19 28 51 59 61 65 68 75 86 90 91 92 96 5C 9G N3 N4 Z5",
        "data_quality": "33 54 55 70 1A 6P N7",
        "generic": "00 01 02 03 05 06 08 10 11 12 13 15 17 21 25 30 34 38 39 40 42 52 53 56 57 58"
        " 60 63 64 74 76 77 78 79 81 82 83 84 85 87 88 89 93 94 95 98",
    },
    ("visa", ""): {
        "never": "03 04 07 12 15 41 43 46 57 62 78 93 R0 R1 R3",
        "not_now": "19 39 51 52 53 58 59 61 65 75 86 91 96 N3 N4 Z5",
        "data_quality": "14 54 55 70 82 1A 6P N7",
    },
    ("visa", "2021-04-17"): {"never": "14", "not_now": "03 62 78 93"},
    ("visa", "2025-04-11"): {"not_now": "5C 9G"},
    ("mastercard maestro", ""): {
        "never": "03 04 07 12 13 14 15 41 43 57 62 63",
        "not_now": "65",
        "data_quality": "54",
        "generic": "70 79 82 83",
    },
    ("amex", ""): {
        "never": "111 189 200",
        "not_now": "106 909 912",
        "data_quality": "101 117 122 125 187",
        "generic": "000 001 002 100 107 109 110 115 119 181 183 900",
    },
}

ADVICE: dict[str, str] = {
    "never": "03 05 08 21 22 42 99 7903 7921 7942",
    "with_new_data": "01",
    "without_token": "04",
    "not_recurring": "40 41 7940 7941",
    "later": "00 02 24 25 26 27 28 29 30 43",
}
"""Of Mastercard and Maestro."""

DAY = 86_400
WAITS = {
    "24": 3_600,
    "25": DAY,
    "26": 2 * DAY,
    "27": 4 * DAY,
    "28": 6 * DAY,
    "29": 8 * DAY,
    "30": 10 * DAY,
}
"""Seconds to wait; nothing for other codes."""

STRIPE = {
    "01": "call_issuer",
    "04": "do_not_try_again pickup_card previously_declined_do_not_retry",
    "05": "card_declined do_not_honor generic_decline testmode_decline",
    "08": "approve_with_id",
    "13": "invalid_amount",
    "14": "incorrect_number invalid_account invalid_number",
    "19": "reenter_transaction try_again_later",
    "21": "no_action_taken",
    "41": "lost_card",
    "43": "stolen_card",
    "51": "insufficient_funds",
    "54": "expired_card invalid_expiry_month invalid_expiry_year new_account_information_available",
    "55": "incorrect_pin invalid_pin offline_pin_required online_or_offline_pin_required",
    "57": "card_not_supported currency_not_supported not_permitted transaction_not_allowed",
    "58": "service_not_allowed",
    "59": "blocklist elevated_risk_level fraudulent highest_risk_level merchant_blacklist rule",
    "61": "card_velocity_exceeded",
    "62": "restricted_card",
    "63": "security_violation",
    "65": "withdrawal_count_limit_exceeded",
    "75": "pin_try_exceeded",
    "91": "issuer_not_available",
    "94": "duplicate_transaction",
    "96": "processing_error",
    "1A": "authentication_required mobile_device_authentication_required",
    "6P": "incorrect_address incorrect_zip",
    "N7": "incorrect_cvc invalid_cvc requested_block_on_incorrect_cvc",
    "R0": "stop_payment_order",
    "R1": "revocation_of_authorization",
    "R3": "revocation_of_all_authorizations",
}

ADYEN = {
    "00": "0 (none)",
    "01": "3 Referral",
    "04": "46 Transaction blocked by Adyen to prevent excessive retry fees",
    "05": "2 Refused; 27 Declined Non Generic",
    "10": "30 Amount partially approved",
    "13": "7 Invalid Amount",
    "14": "8 Invalid Card Number",
    "17": "15 Cancelled; 16 Shopper Cancelled",
    "19": "37 Contactless fallback; 41 CVM Required Restart Payment; 44 Try another interface;"
    " 45 Chip downgrade mode",
    "51": "12 Not enough balance",
    "52": "34 No checking account available on Card",
    "53": "35 No savings account available on Card",
    "54": "6 Expired Card",
    "55": "17 Invalid Pin; 33 Card requires online pin; 43 Online PIN required",
    "57": "10 Not supported; 23 Transaction Not Permitted",
    "59": "14 Acquirer Fraud; 20 FRAUD; 22 FRAUD-CANCELLED; 31 Issuer Suspected Fraud",
    "61": "28 Withdrawal amount exceeded",
    "62": "5 Blocked Card; 25 Restricted Card",
    "65": "29 Withdrawal count exceeded",
    "75": "18 Pin tries exceeded",
    "86": "19 Pin validation not possible",
    "91": "9 Issuer Unavailable; 40 Current AID is in Penalty Box.",
    "96": "4 Acquirer Error; 21 Not Submitted",
    "1A": "11 3D Not Authenticated; 36 Mobile PIN required; 38 Authentication required;"
    " 39 RReq not received from DS; 42 3DS Authentication Error",
    "6P": "32 AVS Declined",
    "N7": "24 CVC Declined",
    "R1": "26 Revocation Of Auth",
}

CHECKOUT = (
    "10000 10010 20001 20002 20003 20005 20012 20013 20014 20019 20030 20046 20051 20054 20055"
    " 20057 20058 20059 20061 20062 20063 20065 20075 20078 20091 20093 20096 20154 200N7 200R1"
    " 200R3 30004 30007 30015 30041 30043 30046"
)
"""The last two characters are the network's, except those below."""

CHECKOUT_OTHERS = {"10000": "00", "10010": "10", "20154": "1A"}
