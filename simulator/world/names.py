"""Invented names of issuers that sound as if they were of their country."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

_ENGLISH = (
    ("{} Bank", "{} Trust", "First {}", "{} Savings", "{} Union"),
    ("Northfield", "Calder", "Ashcombe", "Larkspur", "Stonebridge", "Millbrook", "Harrowgate",
     "Pinecrest", "Redwater", "Kestrel", "Fairhaven", "Oakhurst", "Brightwell", "Summerlea",
     "Whitcombe", "Eastmoor", "Copperhill", "Silverlake"),
)  # fmt: skip
_SPANISH = (
    ("Banco {}", "Caja {}", "{} Banca"),
    ("Almendro", "Sierra Clara", "Miravalle", "Altozano", "Ribera", "Olivar", "Encina", "Azahar",
     "Torrealba", "Peñafuerte"),
)  # fmt: skip
_NAMES = {
    "DE": (("{}bank", "Sparkasse {}", "Volksbank {}"),
           ("Lindental", "Rabenau", "Eichenfeld", "Nordheide", "Sonnenberg", "Falkenstein",
            "Moorburg", "Auental", "Birkenau")),
    "FR": (("Banque {}", "Crédit {}", "Caisse {}"),
           ("Montclair", "du Verger", "des Tilleuls", "Beaurivage", "Valfleur", "Rochebrune",
            "du Ponant", "Clairefontaine", "Hautecombe")),
    "ES": _SPANISH,
    "IT": (("Banca {}", "Cassa {}", "Credito {}"),
           ("Montefiore", "Valdoro", "Acquachiara", "Pontelungo", "San Berico", "Rivabella",
            "Castelnero", "Fontealta")),
    "NL": (("{} Bank", "Bank {}"),
           ("Duinwijk", "Merwestein", "Polderland", "Zonneveld", "Wilgenhof", "Rietmeer",
            "Oostergracht")),
    "SE": (("{}banken", "{} Bank"),
           ("Björkvik", "Norrlund", "Sjöstad", "Granholm", "Tallås", "Vintersund", "Almby")),
    "PL": (("Bank {}", "{} Bank"),
           ("Jaworowy", "Zielony Gaj", "Bursztyn", "Orlik", "Modrzew", "Lipowy",
            "Wierzbno")),
    "BR": (("Banco {}", "Caixa {}", "{} Pay"),
           ("Jatobá", "Serra Azul", "Ipê Amarelo", "Cajueiro", "Ribeirinho", "Pitanga",
            "Araucária", "Boa Safra", "Jacarandá")),
    "MX": _SPANISH,
    "JP": (("{} Ginko", "{} Card"),
           ("Aoyagi", "Shirahama", "Momijidai", "Takasago", "Minatogawa", "Kazehaya")),
}  # fmt: skip


def issuer_names(countries: Sequence[str]) -> tuple[str, ...]:
    """A name for every issuer, by the code of its country; all different."""
    met: Counter[str] = Counter()
    names = []
    for country in countries:
        patterns, roots = _NAMES.get(country, _ENGLISH)
        number = met[country]
        met[country] += 1
        again, within = divmod(number, len(patterns) * len(roots))
        # Both indices move on with every name, so that neighbours share neither.
        pattern = patterns[(within % len(roots) + within // len(roots)) % len(patterns)]
        root = roots[within % len(roots)]
        count = f" {again + 1}" if again else ""
        names.append(f"{pattern.format(root)}{count} {country}")
    return tuple(names)
