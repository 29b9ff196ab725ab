"""What our CRM fields are called in other languages than English, for accounts that work in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Named(NamedTuple):
    """A field's label, of at most 40 characters, and what it holds."""

    label: str
    description: str


FIELD_WORDS: Mapping[str, Mapping[str, Named]] = {
    "fr": {
        "key": Named(
            "Départ : clé", "Écrite par Aurevoir ; une valeur pour chaque étape de chaque dossier. Ne pas modifier."
        ),
        "link": Named("Départ : lien", "La page d’enquête ou d’entretien qui va avec cette tâche."),
        "case_id": Named("Départ : dossier", "Le dossier qu’Aurevoir tient pour cette transaction."),
        "status": Named("Départ : statut", "Où en est l’accompagnement du départ."),
        "playbook": Named("Départ : playbook", "Le playbook, et sa version, que suit le dossier."),
        "start_score": Named("Note au début (0-10)", "Disposition à nous recommander au début de la relation."),
        "exit_score": Named("Note de sortie (0-10)", "Disposition à nous recommander à la fin de la relation."),
        "exit_reason": Named("Motif du départ (client)", "Raison principale du départ, selon le client lui-même."),
        "exit_reason_second": Named(
            "Second motif du départ (client)", "Autre raison du départ, selon le client lui-même."
        ),
        "exit_avoidable": Named("Départ évitable (client)", "Si, de l’avis du client, la fin aurait pu être évitée."),
        "leaving_score": Named(
            "Note de l’accompagnement (0-10)",
            "Comment le départ lui-même s’est passé, d’après le client, environ un mois plus tard.",
        ),
        "exit_feedback": Named("Réponses à l’enquête de sortie", "Ce que le client a dit en partant, en clair."),
        "exit_feedback_at": Named("Enquête de sortie, répondue le", "Quand la dernière réponse est arrivée."),
        "survey_link": Named(
            "Lien de l’enquête de sortie",
            "La page d’enquête propre à ce contact ; vide avant la fin effective et après la clôture (P-31).",
        ),
        "start_now": Named(
            "Démarrer le départ maintenant",
            "À cocher pour démarrer ce départ à la main ; la case se décoche une fois prise en compte (P-72).",
        ),
        "counterpart": Named(
            "Interlocuteur de la passation",
            "À cocher pour la personne qui confirme que tout est bien arrivé, quand un client part (P-13).",
        ),
        "quiet": Named(
            "Départ : ne pas solliciter",
            "Vrai quand le client part : ni rappels de renouvellement, ni séquences commerciales, ni relances (P-25).",
        ),
        "fit": Named(
            "Client bien ciblé",
            "Si ce client nous correspondait, pour qui qualifie de nouvelles transactions (P-43).",
        ),
        "exit_reason_interview": Named(
            "Motif du départ (entretien)", "Raison principale, telle que comprise lors de l’entretien (P-39)."
        ),
        "exit_reason_team": Named(
            "Motif du départ (équipe du compte)",
            "Raison principale, vue par l’équipe du compte avant d’avoir lu la moindre réponse (P-39).",
        ),
        "team_score": Named(
            "Note attendue par l’équipe (0-10)",
            "La note de sortie que l’équipe du compte attendait, avant toute réponse (P-39).",
        ),
        "win_back_on": Named(
            "À recontacter le",
            "Quand le client souhaite être recontacté, ou quand le motif pourrait ne plus tenir (P-56).",
        ),
        "nurture": Named(
            "Accepte de nos nouvelles", "Vrai tant qu’un ancien client accepte de recevoir de nos nouvelles (P-55)."
        ),
        "nurture_until": Named("Accepte de nos nouvelles jusqu’au", "Le dernier jour de cet accord (P-55)."),
        "nurture_basis": Named(
            "Accepte de nos nouvelles : accord", "Qui a donné son accord, quand et pour quoi ; vide sans accord (P-55)."
        ),
        "reason_unknown": Named(
            "Motif du départ inconnu",
            "Vrai tant que le plan avance sans que la transaction dise pourquoi le client part (P-04).",
        ),
        "timeline_link": Named(
            "Départ : lien du calendrier", "La page qui montre au client les étapes et les dates du départ (P-2A)."
        ),
        "steps_done": Named(
            "Départ : étapes faites",
            "Combien d’étapes du plan ont été réglées ou closes ; mis à jour chaque heure (P-29).",
        ),
        "steps_all": Named(
            "Départ : étapes en tout",
            "Combien d’étapes compte le plan, sans celles qui sont écartées ou qui durent au-delà du dossier (P-29).",
        ),
        "next_step": Named(
            "Départ : prochaine étape",
            "La tâche ouverte à échéance la plus proche ; vide quand rien n’attend personne (P-29).",
        ),
        "next_due": Named(
            "Départ : échéance de la prochaine étape",
            "L’échéance de cette tâche, telle qu’elle est dans le CRM (P-29).",
        ),
        "returned": Named(
            "Client revenu", "Vrai quand un client qui était parti est revenu avec cette transaction (P-56)."
        ),
    },
}
"""By language, then by the field's neutral name: a field is called the same on every kind of record."""
