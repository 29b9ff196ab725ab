"""What a contact's role or label usually means, in English and French (P-11, P-13); admins may say otherwise.

Names are in small letters. Those that a CRM brings with it are known to its adapter.
"""

from __future__ import annotations

from collections.abc import Mapping

from workflows.records import Role

COUNTERPART = "Handover counterpart"
"""The name that our texts suggest for a role or label of the one who says "received"."""

USUAL_ROLES: Mapping[str, Role] = {
    **dict.fromkeys(
        (
            *("decision maker", "decision-maker", "decider", "economic buyer", "economic decision maker", "signatory"),
            *("budget holder", "executive sponsor", "sponsor", "buyer", "owner", "ceo", "cfo"),
            *("décideur", "décideuse", "décisionnaire", "décideur économique", "acheteur", "acheteuse", "signataire"),
            *("détenteur du budget", "responsable du budget", "sponsor exécutif", "direction", "dirigeant"),
        ),
        Role.DECIDER,
    ),
    **dict.fromkeys(
        (
            *("user", "end user", "business user", "power user", "key user", "administrator", "admin user"),
            *("utilisateur", "utilisatrice", "utilisateur final", "utilisateur clé", "utilisateur métier"),
        ),
        Role.USER,
    ),
    **dict.fromkeys(
        (
            *("influencer", "technical influencer", "technical buyer", "technical evaluator", "evaluator", "champion"),
            *("blocker", "legal and compliance", "it", "security", "procurement"),
            *("influenceur", "influenceuse", "prescripteur", "prescriptrice", "évaluateur", "évaluateur technique"),
            *("acheteur technique", "ambassadeur", "opposant", "juridique et conformité", "informatique", "achats"),
        ),
        Role.INFLUENCER,
    ),
    **dict.fromkeys(
        (
            COUNTERPART.casefold(),
            *("counterpart", "handover", "handover contact", "handover owner"),
            *("interlocuteur de passation", "interlocutrice de passation", "contact de passation", "passation"),
        ),
        Role.COUNTERPART,
    ),
}
