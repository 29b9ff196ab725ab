"""A believable last year of lost renewals, the same for both look-alikes: most as they should be, some with the gaps
that real records have. Days count back from the present, so that it is always last year."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

Person = tuple[str, str, str, str, str]
"""First name, last name, e-mail address (or none), language, and a role: decider, user or influencer."""


class Step(Enum):
    """What happened to a deal."""

    CREATED = "created"
    NEGOTIATED = "negotiated"
    LOST = "lost"
    RENEWED = "renewed"
    REASON = "reason"
    DELETED = "deleted"


@dataclass(frozen=True)
class PastDeal:
    """A renewal that was lost ``ago`` days ago.

    ``left`` is how many days the contract still ran then (None: nobody wrote its end down). ``reason_after``: the
    reason was filled in so many days later. ``back_after``: it went back to negotiation so many hours later.
    ``renewed_after``: it was renewed after all so many days later. ``lost_before``: it had been lost and renewed so
    many days earlier. ``deleted_after``: someone deleted it so many days later.
    """

    company: str
    site: str
    country: str
    people: tuple[Person, ...]
    owner: str | None
    amount: int
    ago: int
    left: int | None
    reason: str | None
    users: int | None = None
    reason_after: int | None = None
    back_after: int | None = None
    renewed_after: int | None = None
    lost_before: int | None = None
    deleted_after: int | None = None

    @property
    def name(self) -> str:
        """Of the deal."""
        return f"{self.company} – {'renouvellement' if self.country == 'France' else 'renewal'}"

    def contract_end(self, now: datetime) -> str | None:
        """As an ISO date."""
        return None if self.left is None else (now - timedelta(days=self.ago - self.left)).date().isoformat()

    def story(self, now: datetime) -> Iterator[tuple[datetime, Step]]:
        """What happened when, in order."""
        lost = _office_hours(now - timedelta(days=self.ago))
        yield lost - timedelta(days=150 + (self.lost_before or 0)), Step.CREATED
        if self.lost_before is not None:
            yield lost - timedelta(days=self.lost_before), Step.LOST
            yield lost - timedelta(days=self.lost_before - 20), Step.RENEWED
        yield lost - timedelta(days=35), Step.NEGOTIATED
        if self.reason and self.reason_after is None:
            yield lost - timedelta(hours=1), Step.REASON
        yield lost, Step.LOST
        if self.back_after is not None:
            yield lost + timedelta(hours=self.back_after), Step.NEGOTIATED
        if self.reason and self.reason_after is not None:
            yield lost + timedelta(days=self.reason_after), Step.REASON
        if self.renewed_after is not None:
            yield lost + timedelta(days=self.renewed_after), Step.RENEWED
        if self.deleted_after is not None:
            yield lost + timedelta(days=self.deleted_after), Step.DELETED


def _office_hours(moment: datetime) -> datetime:
    """Ten in the morning, UTC, of that day, or of the Friday before."""
    moment = moment.replace(hour=10, minute=12, second=0, microsecond=0)
    return moment - timedelta(days=max(0, moment.weekday() - 4))


PAST = (
    PastDeal("Grand Hôtel Baltard", "hotel-baltard.example", "France",
             (("Anne", "Lefèvre", "anne.lefevre@hotel-baltard.example", "fr", "decider"),
              ("Karim", "Saïdi", "karim.saidi@hotel-baltard.example", "fr", "user")),
             "camille.roux", 18_000, 331, 78, "Price", 34),
    PastDeal("Harrow Logistics", "harrow-logistics.example", "United Kingdom",
             (("Fiona", "Grant", "fiona.grant@harrow-logistics.example", "en", "decider"),
              ("Dev", "Patel", "dev.patel@harrow-logistics.example", "en", "user")),
             "emma.clark", 64_000, 312, 92, "Went to a competitor", 210),
    PastDeal("Imprimerie Nouvelle", "imprimerie-nouvelle.example", "France",
             (("Luc", "Perrin", "luc.perrin@imprimerie-nouvelle.example", "fr", "decider"),),
             "louis.martin", 7_200, 296, 41, "Low usage", 6),
    PastDeal("Jasper & Co", "jasper-co.example", "Ireland",
             (("Niamh", "Kelly", "niamh.kelly@jasper-co.example", "en", "decider"),
              ("Sean", "Doyle", "", "en", "influencer")),
             "emma.clark", 21_500, 280, 62, "Missing features", 48),
    PastDeal("Kiosque Média", "kiosque-media.example", "France",
             (("Salomé", "Vidal", "salome.vidal@kiosque-media.example", "fr", "decider"),),
             "nadia.benali", 11_400, 263, None, "Price", 22),
    PastDeal("Larch Analytics", "larch-analytics.example", "United Kingdom",
             (("Grace", "Hopewell", "grace.hopewell@larch-analytics.example", "en", "decider"),
              ("Ivo", "Marsh", "ivo.marsh@larch-analytics.example", "en", "user")),
             "tom.wright", 38_000, 247, 33, "Service quality", 77, reason_after=3),
    PastDeal("Maison Quercy", "maison-quercy.example", "France",
             (), "louis.martin", 4_300, 230, 20, "Company closed", 4),
    PastDeal("Northgate Dental", "northgate-dental.example", "United Kingdom",
             (("Owen", "Price", "owen.price@northgate-dental.example", "en", "decider"),),
             "hugo.petit", 9_900, 214, 58, "Price", 15),
    PastDeal("Oriel Foods", "oriel-foods.example", "Ireland",
             (("Ciara", "Nolan", "ciara.nolan@oriel-foods.example", "en", "decider"),),
             "emma.clark", 15_000, 201, 66, "Other", 51, back_after=5),
    PastDeal("Pépinière Aubrac", "pepiniere-aubrac.example", "France",
             (("Rémi", "Costes", "remi.costes@pepiniere-aubrac.example", "fr", "decider"),
              ("Julie", "Alric", "julie.alric@pepiniere-aubrac.example", "fr", "user")),
             "camille.roux", 12_600, 187, 85, "Service quality", 19, renewed_after=26),
    PastDeal("Quill Publishing", "quill-publishing.example", "United Kingdom",
             (("Edith", "Warren", "edith.warren@quill-publishing.example", "en", "decider"),),
             "tom.wright", 27_300, 172, 12, None, 40),
    PastDeal("Radio Canopée", "radio-canopee.example", "France",
             (("Yasmine", "Haddad", "yasmine.haddad@radio-canopee.example", "fr", "decider"),
              ("Théo", "Brun", "", "fr", "user")),
             None, 5_600, 155, 47, "Low usage", 8),
    PastDeal("Stonebridge Legal", "stonebridge-legal.example", "United Kingdom",
             (("Martin", "Oakes", "martin.oakes@stonebridge-legal.example", "en", "decider"),
              ("Lena", "Fischer", "lena.fischer@stonebridge-legal.example", "en", "user")),
             "emma.clark", 83_000, 139, None, "Went to a competitor", 190),
    PastDeal("Tannerie du Tarn", "tannerie-tarn.example", "France",
             (("Paule", "Rouquette", "paule.rouquette@tannerie-tarn.example", "fr", "decider"),),
             "nadia.benali", 6_100, 118, 29, "Price", 11, lost_before=110),
    PastDeal("Umber Ceramics", "umber-ceramics.example", "United Kingdom",
             (("Cass", "Lowell", "cass.lowell@umber-ceramics.example", "en", "decider"),),
             "tom.wright", 3_900, 97, 70, "Company closed", 3, deleted_after=9),
    PastDeal("Verger & Fils", "verger-fils.example", "France",
             (("Bruno", "Verger", "bruno.verger@verger-fils.example", "fr", "decider"),),
             "louis.martin", 16_800, 76, 102, "Missing features", 27),
    PastDeal("Westlake Schools", "westlake-schools.example", "Ireland",
             (("Orla", "Byrne", "orla.byrne@westlake-schools.example", "en", "decider"),
              ("Peter", "Flood", "peter.flood@westlake-schools.example", "en", "user")),
             "emma.clark", 44_000, 54, None, "Price", 130, reason_after=2),
    PastDeal("Yole Ingénierie", "yole-ingenierie.example", "France",
             (("Inès", "Marchal", "ines.marchal@yole-ingenierie.example", "fr", "decider"),
              ("Gaël", "Tanguy", "gael.tanguy@yole-ingenierie.example", "fr", "influencer")),
             "camille.roux", 52_500, 33, 91, "Service quality", 64),
)  # fmt: skip
