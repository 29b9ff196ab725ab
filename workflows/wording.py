"""What we say in the CRM by ourselves, apart from playbooks: in English and French, plain and kind."""

from __future__ import annotations

from collections.abc import Mapping

from workflows.rules import CaseKind

_WORDS: Mapping[str, Mapping[str, str]] = {
    # Why someone was chosen (P-15).
    "why.deal_owner": {
        "en": "{name} was chosen because they own the deal.",
        "fr": "le choix s’est porté sur {name}, à qui appartient la transaction.",
    },
    "why.company_owner": {
        "en": "{name} was chosen because they own the customer's account.",
        "fr": "le choix s’est porté sur {name}, à qui appartient le compte du client.",
    },
    "why.manager": {
        "en": "{name} was chosen as the manager named in the settings.",
        "fr": "le choix s’est porté sur {name}, responsable selon les réglages.",
    },
    "why.neutral": {
        "en": "{name} was chosen because they had no part in this deal or account, and have the fewest open tasks.",
        "fr": (
            "le choix s’est porté sur {name}, sans rôle dans cette transaction ni ce compte, et avec le moins de "
            "tâches ouvertes."
        ),
    },
    "why.least_involved": {
        "en": "nobody in the pool is neutral here; {name} was chosen as the least involved person.",
        "fr": "personne du groupe n’est neutre ici ; le choix s’est porté sur {name}, la personne la moins impliquée.",
    },
    "why.instead": {"en": "{missing}, so {rest}", "fr": "{missing}, donc {rest}"},
    "why.speaks": {"en": "They speak {tongue}.", "fr": "Cette personne parle {tongue}."},
    "why.passed_over": {"en": "Passed over: {names}.", "fr": "Non retenus : {names}."},
    "why.their_part": {"en": "Their part: {part}.", "fr": "Son rôle : {part}."},
    "why.handed": {
        "en": "{name} was chosen because a colleague gave them an earlier task of this conversation.",
        "fr": "le choix s’est porté sur {name}, à qui une tâche précédente de cet échange a été confiée.",
    },
    "why.stand_in": {
        "en": "{name} was chosen as the stand-in of {absent}, who is away until {day}.",
        "fr": "le choix s’est porté sur {name}, qui remplace {absent}, en absence jusqu’au {day}.",
    },
    "why.is_away": {"en": "away until {day}", "fr": "en absence jusqu’au {day}"},
    "why.away": {
        "en": "{name} was chosen although they are away: nobody else is there.",
        "fr": "le choix s’est porté sur {name} malgré son absence : personne d’autre n’est là.",
    },
    "missing.deal_owner.away": {
        "en": "the deal's owner is away until {day}",
        "fr": "la personne à qui appartient la transaction est en absence jusqu’au {day}",
    },
    "missing.company_owner.away": {
        "en": "the owner of the customer's account is away until {day}",
        "fr": "la personne à qui appartient le compte du client est en absence jusqu’au {day}",
    },
    "missing.manager.away": {
        "en": "the manager is away until {day}",
        "fr": "la personne responsable est en absence jusqu’au {day}",
    },
    # Calling people together (P-42).
    "meeting.director": {"en": "director", "fr": "direction"},
    "meeting.sales": {"en": "sales", "fr": "ventes"},
    "meeting.seller": {"en": "owns the deal, for sales", "fr": "transaction à son nom, pour les ventes"},
    "meeting.took_part": {"en": "took part in the goodbye", "fr": "a pris part à l’accompagnement du départ"},
    "meeting.invited": {
        "en": "Invited, each by a task of their own that follows the day of this one:",
        "fr": "Invités, chacun par une tâche à son nom qui suit le jour de celle-ci :",
    },
    "meeting.no_director": {
        "en": "- a director: nobody is named in the settings (people.director); please invite one yourself.",
        "fr": "- direction : personne n’est nommé dans les réglages (people.director) ; invitez quelqu’un vous-même.",
    },
    "meeting.title": {
        "en": "Come to the post-mortem on {company}",
        "fr": "Participez au bilan interne sur {company}",
    },
    "meeting.body": {
        "en": (
            "{holder} holds a meeting on {day} about what we learn from the goodbye of {company}, and would like you "
            "to be there ({part}). {holder} tells you the hour. If the day moves, so does this task; if you cannot "
            "come, tell {holder}, and close it."
        ),
        "fr": (
            "{holder} organise une réunion le {day} sur ce que nous apprend le départ de {company}, et souhaite votre "
            "présence ({part}). {holder} vous donnera l’heure. Si le jour change, cette tâche suit ; si vous ne pouvez "
            "pas venir, dites-le à {holder} et clôturez-la."
        ),
    },
    "meeting.others": {"en": "Also invited: {names}.", "fr": "Également invités : {names}."},
    "meeting.page": {
        "en": "Before it, ten minutes for your own view, by name and without seeing the others':\n\n{link}",
        "fr": "Avant, dix minutes pour votre propre regard, à votre nom et sans voir celui des autres :\n\n{link}",
    },
    "meeting.agenda": {"en": "The agenda:", "fr": "L’ordre du jour :"},
    "meeting.moved": {"en": "The meeting is now on {day}.", "fr": "La réunion a maintenant lieu le {day}."},
    "meeting.over": {
        "en": "The meeting was held, so this task is no longer needed.",
        "fr": "La réunion a eu lieu : cette tâche n’est plus nécessaire.",
    },
    # The stakeholder map (P-11).
    "first_name": {"en": "[first name]", "fr": "[prénom]"},
    "colon": {"en": ":", "fr": "\N{NO-BREAK SPACE}:"},
    "role.decider": {"en": "decides", "fr": "décide"},
    "role.user": {"en": "uses it", "fr": "utilise"},
    "role.influencer": {"en": "has a say", "fr": "a son mot à dire"},
    "role.counterpart": {"en": "receives the handover", "fr": "reçoit la passation"},
    "role.unknown": {"en": "role unknown", "fr": "rôle inconnu"},
    "role.more": {"en": "and {count} more", "fr": "et {count} autres"},
    # How someone had a part in a deal (P-10).
    "tie.owns_deal": {"en": "owns the deal", "fr": "possède la transaction"},
    "tie.owns_company": {"en": "owns the account", "fr": "possède le compte"},
    "tie.negotiated": {"en": "led the negotiation", "fr": "a mené la négociation"},
    "tie.negotiated.until": {
        "en": "led the negotiation, until {day}",
        "fr": "a mené la négociation, jusqu’au {day}",
    },
    "tie.owned": {"en": "owned the deal before", "fr": "possédait la transaction auparavant"},
    "tie.owned.until": {"en": "owned the deal until {day}", "fr": "possédait la transaction jusqu’au {day}"},
    "tie.deal_team": {"en": "is on the deal's team", "fr": "fait partie de l’équipe de la transaction"},
    "tie.company_team": {"en": "is on the account's team", "fr": "fait partie de l’équipe du compte"},
    "tie.meeting": {"en": "met the customer for this deal", "fr": "a rencontré le client pour cette transaction"},
    "tie.call": {"en": "called the customer for this deal", "fr": "a appelé le client pour cette transaction"},
    "tie.task": {"en": "had a task on this deal", "fr": "avait une tâche sur cette transaction"},
    "why.anyone": {
        "en": "{name} was chosen as an active colleague from the pool.",
        "fr": "le choix s’est porté sur {name}, collègue du groupe.",
    },
    "missing.deal_owner": {
        "en": "the deal has no active owner",
        "fr": "la transaction n’a pas de propriétaire actif",
    },
    "missing.company_owner": {
        "en": "the customer's account has no active owner",
        "fr": "le compte du client n’a pas de propriétaire actif",
    },
    "missing.manager": {
        "en": "the settings name no active manager",
        "fr": "les réglages ne désignent pas de responsable actif",
    },
    "missing.neutral": {
        "en": "the pool of neutral people has nobody active",
        "fr": "le groupe de personnes neutres n’a personne d’actif",
    },
    # What people are told of inside the CRM (P-75).
    "notice.title": {
        "en": "Something could not be written for {company}: please have a look",
        "fr": "Une partie du suivi n’a pas pu être écrite pour {company} : merci d’y jeter un œil",
    },
    "notice.body": {
        "en": (
            "Aurevoir looks after the goodbye of this customer, and some of it could not be written here:\n\n{what}\n\n"
            "Everything else went on as planned. {cure}\n\nThis task closes by itself when it is mended."
        ),
        "fr": (
            "Aurevoir s’occupe du départ de ce client, et une partie n’a pas pu être écrite ici :\n\n{what}\n\n"
            "Tout le reste a suivi son cours. {cure}\n\nCette tâche se ferme d’elle-même une fois la cause corrigée."
        ),
    },
    "notice.cure.case": {
        "en": (
            "Please mend what is said above, or tell whoever looks after this CRM. Then it is sent again from the list "
            "of failed things in the console ({console}), or by: aurevoir cases retry {case}"
        ),
        "fr": (
            "Merci de corriger ce qui est dit ci-dessus, ou de prévenir la personne qui administre ce CRM. L’envoi se "
            "relance ensuite depuis la liste des échecs de la console ({console}), ou par : aurevoir cases retry {case}"
        ),
    },
    "notice.cure.deal": {
        "en": (
            "It is tried again by itself. Please mend what is said above, or tell whoever looks after this CRM; the "
            "list of failed things in the console ({console}) says more."
        ),
        "fr": (
            "Un nouvel essai a lieu de lui-même. Merci de corriger ce qui est dit ci-dessus, ou de prévenir la "
            "personne qui administre ce CRM ; la liste des échecs de la console ({console}) en dit plus."
        ),
    },
    "notice.more": {"en": "- and {count} more", "fr": "- et {count} autres"},
    "notice.mended": {
        "en": "It is mended: nothing is left to do here.",
        "fr": "C’est corrigé : il n’y a plus rien à faire ici.",
    },
    # Where a deal was ticked to begin its offboarding and none begins (P-72).
    "unopened.title": {"en": "No offboarding has begun", "fr": "Aucun départ n’a commencé"},
    "unopened.body": {
        "en": (
            "“Start the offboarding now” was ticked on this deal, and no offboarding has begun: {reason}. The box is "
            "unticked; tick it again once that has changed."
        ),
        "fr": (
            "« Démarrer le départ maintenant » a été coché sur cette transaction, et aucun départ n’a commencé : "
            "{reason}. La case est décochée ; cochez-la de nouveau une fois que cela aura changé."
        ),
    },
    "alive.title": {
        "en": "Aurevoir works: what was done last week",
        "fr": "Aurevoir est au travail : ce qui a été fait la semaine dernière",
    },
    "alive.body": {
        "en": (
            "In the last seven days: plans begun {begun}, ended {ended}, tasks laid out {tasks}, answers taken in "
            "{answers}. {rest}\n\nThis task is a sign of life, and there is nothing to do: tick it off. When it is "
            "missing on a Monday, please ask whoever looks after this CRM."
        ),
        "fr": (
            "Ces sept derniers jours : plans commencés {begun}, terminés {ended}, tâches posées {tasks}, réponses "
            "reçues {answers}. {rest}\n\nCette tâche est un signe de vie et ne demande rien : cochez-la. Si elle "
            "manque un lundi, merci d’en parler à la personne qui administre ce CRM."
        ),
    },
    "alive.well": {"en": "Nothing failed.", "fr": "Rien n’a échoué."},
    "alive.failed": {
        "en": "On the list of failed things: {count}. The console shows them.",
        "fr": "Sur la liste des échecs : {count}. La console les montre.",
    },
    # Tasks that ask for what is missing (P-04, P-07, P-16).
    "ask.reason.title": {
        "en": "Why is {company} leaving? Please fill in the reason on the deal",
        "fr": "Pourquoi ce départ ? Merci d’indiquer le motif sur la transaction avec {company}",
    },
    "ask.reason.body": {
        "en": (
            "{company} did not renew, and the deal does not say why.\n\n"
            "Please fill in the reason for leaving on the deal. The offboarding plan starts as soon as it is there"
            "{deadline}. If you do not know it, ask the customer kindly, or choose the nearest reason."
        ),
        "fr": (
            "Le renouvellement avec {company} n’a pas eu lieu, et la transaction ne dit pas pourquoi.\n\n"
            "Merci d’indiquer le motif de départ sur la transaction. Le plan de fin de relation démarre dès qu’il y est"
            "{deadline}. Si vous ne le connaissez pas, demandez-le au client avec tact, ou choisissez le motif le plus "
            "proche."
        ),
    },
    "ask.reason.deadline": {
        "en": ", and without it on {day}",
        "fr": ", et sans lui le {day}",
    },
    "ask.contract_end.title": {
        "en": "When does the contract with {company} end? Please fill in the date",
        "fr": "Quand le contrat avec {company} prend-il fin ? Merci d’indiquer la date",
    },
    "ask.contract_end.body": {
        "en": (
            "The deal has no end of the contract{seen}. The handover, the last invoice and the survey are dated by it."
            "\n\n"
            "Please fill in the contract end on the deal; the steps that wait for it are then planned by themselves."
        ),
        "fr": (
            "La transaction n’indique pas de fin de contrat{seen}. La passation, la dernière facture et l’enquête en "
            "dépendent.\n\n"
            "Merci d’indiquer la fin de contrat sur la transaction ; les étapes qui l’attendent seront alors "
            "planifiées d’elles-mêmes."
        ),
    },
    "ask.contract_end.seen": {
        "en": " that can be used ({day} cannot be right)",
        "fr": " utilisable (le {day} ne peut pas être juste)",
    },
    "ask.contacts.title": {
        "en": "Who should hear from us at {company}? Please add contacts to the deal",
        "fr": "À qui parler chez {company} ? Merci d’ajouter des contacts à la transaction",
    },
    "ask.contacts.body": {
        "en": (
            "The deal has no contacts, so there is nobody to talk to or to ask for feedback.\n\n"
            "Please add the people whom you worked with: who decided, who used it, who had a say. The steps that "
            "concern them follow the next business day."
        ),
        "fr": (
            "La transaction n’a pas de contacts : il n’y a personne à qui parler ni à interroger.\n\n"
            "Merci d’ajouter les personnes avec qui vous avez travaillé : qui a décidé, qui utilisait, qui avait son "
            "mot à dire. Les étapes qui les concernent suivront le prochain jour ouvré."
        ),
    },
    # Notes on tasks that are no longer needed.
    "close.reason": {
        "en": "The reason is on the deal now. Thank you; this task is no longer needed.",
        "fr": "Le motif est maintenant sur la transaction. Merci ; cette tâche n’est plus nécessaire.",
    },
    "close.contract_end": {
        "en": "The contract end is on the deal now. Thank you; this task is no longer needed.",
        "fr": "La fin de contrat est maintenant sur la transaction. Merci ; cette tâche n’est plus nécessaire.",
    },
    "close.contacts": {
        "en": "The deal has contacts now. Thank you; this task is no longer needed.",
        "fr": "La transaction a maintenant des contacts. Merci ; cette tâche n’est plus nécessaire.",
    },
    "close.caught_up": {
        "en": "What this was about is settled now. Thank you; this task is no longer needed.",
        "fr": "Ce dont il s’agissait est réglé. Merci ; cette tâche n’est plus nécessaire.",
    },
    "close.no_rights": {
        "en": "The contract of this deal is not in scope of exit rights, so this task is not needed.",
        "fr": "Le contrat de cette transaction n’ouvre pas ces droits de sortie : cette tâche n’est plus nécessaire.",
    },
    "close.erased": {
        "en": "The person whom this task was about is to be forgotten: there is nothing left to do.",
        "fr": "La personne concernée par cette tâche doit être oubliée : il n’y a plus rien à faire.",
    },
    "close.cancelled": {
        "en": "No longer needed: {why}",
        "fr": "Plus nécessaire : {why}",
    },
    # Why a case ended early (P-06, P-09).
    "end.renewed": {"en": "the deal was renewed.", "fr": "la transaction a été renouvelée."},
    "end.left_stage": {
        "en": "the deal has left the not-renewing stage.",
        "fr": "la transaction a quitté l’étape de non-renouvellement.",
    },
    "end.unwatched": {
        "en": "the deal was moved to a pipeline that is not watched.",
        "fr": "la transaction a été déplacée vers un pipeline qui n’est pas suivi.",
    },
    "end.by_hand": {
        "en": "an admin ended the plan by hand.",
        "fr": "un administrateur a arrêté le plan à la main.",
    },
    "end.taken_out": {"en": "the connector was taken out.", "fr": "le connecteur a été retiré."},
    "end.deleted": {"en": "the deal was deleted.", "fr": "la transaction a été supprimée."},
    "end.archived": {"en": "the deal was archived.", "fr": "la transaction a été archivée."},
    "end.condition": {
        "en": "the condition in the settings (only_if) does not hold.",
        "fr": "la condition des réglages (only_if) n’est pas remplie.",
    },
    "end.merged": {
        "en": "the deal was merged into another one that has its own offboarding.",
        "fr": "la transaction a été fusionnée avec une autre qui a déjà sa fin de relation.",
    },
    # The same for save plans and baselines, where the words above do not fit (P-02, P-60).
    "end.saved": {
        "en": "the customer stays: the deal was renewed.",
        "fr": "le client reste : la transaction a été renouvelée.",
    },
    "end.not_renewing": {
        "en": "the deal has reached a not-renewing stage.",
        "fr": "la transaction est passée à une étape de non-renouvellement.",
    },
    "end.left_stage.save": {
        "en": "the deal has left the negotiation stage.",
        "fr": "la transaction a quitté l’étape de négociation.",
    },
    "end.left_stage.baseline": {
        "en": "the deal has left the won stage.",
        "fr": "la transaction a quitté l’étape de signature.",
    },
    "end.by_hand.save": {
        "en": "the save plan was ended by hand.",
        "fr": "le plan de négociation a été arrêté à la main.",
    },
    "end.by_hand.baseline": {
        "en": "the baseline was ended by hand.",
        "fr": "le point de départ a été arrêté à la main.",
    },
    "end.merged.save": {
        "en": "the deal was merged into another one that has its own plan.",
        "fr": "la transaction a été fusionnée avec une autre qui a déjà son plan.",
    },
    "end.merged.baseline": {
        "en": "the deal was merged into another one that has its own plan.",
        "fr": "la transaction a été fusionnée avec une autre qui a déjà son plan.",
    },
    "note.cancelled.title.save": {"en": "Save plan ended", "fr": "Plan de négociation terminé"},
    "note.cancelled.body.save": {
        "en": "The save plan for {company} has ended: {why}\nIts open tasks were closed as no longer needed.",
        "fr": (
            "Le plan de négociation pour {company} est terminé : {why}\n"
            "Ses tâches ouvertes ont été fermées car plus nécessaires."
        ),
    },
    "note.cancelled.title.baseline": {"en": "Baseline ended", "fr": "Point de départ arrêté"},
    "note.cancelled.body.baseline": {
        "en": (
            "The baseline of {company} has ended: {why}\n"
            "Its open tasks were closed as no longer needed, and its survey links no longer work."
        ),
        "fr": (
            "Le point de départ avec {company} s’arrête : {why}\n"
            "Ses tâches ouvertes ont été fermées car plus nécessaires, et ses liens d’enquête ne fonctionnent plus."
        ),
    },
    "note.cancelled.title": {"en": "Offboarding cancelled", "fr": "Fin de relation annulée"},
    "note.cancelled.body": {
        "en": (
            "The offboarding of {company} was cancelled: {why}\n"
            "Open tasks of the plan were closed as no longer needed, and survey and interview links no longer work."
        ),
        "fr": (
            "La fin de relation avec {company} est annulée : {why}\n"
            "Les tâches ouvertes du plan ont été fermées car plus nécessaires, et les liens d’enquête et d’entretien "
            "ne fonctionnent plus."
        ),
    },
    "task.link": {"en": "Link: {link}", "fr": "Lien : {link}"},
    "task.left_out": {
        "en": (
            "Only {most} contacts of this deal are asked, the main contact and those with a role first; {count} more "
            "are left out. Is somebody missing who should be heard? Then ask them yourself."
        ),
        "fr": (
            "Seuls {most} contacts de cette transaction sont interrogés, d’abord le contact principal et ceux qui ont "
            "un rôle ; {count} autres ne le sont pas. Manque-t-il quelqu’un qu’il faudrait entendre ? Alors "
            "demandez-lui vous-même."
        ),
    },
    "note.ended": {
        "en": (
            "The contract ended on {day}, as the deal says now. Where the text above speaks of the time until its end, "
            "please reword it before you send it."
        ),
        "fr": (
            "D’après la transaction, le contrat a pris fin le {day}. Là où le texte ci-dessus parle du temps qui reste "
            "jusqu’à sa fin, merci de le reformuler avant l’envoi."
        ),
    },
    # Handover: the inventory and documents (P-22 … P-24, P-28).
    "why.item": {
        "en": "{name} was chosen because the inventory names them.",
        "fr": "le choix s’est porté sur {name}, que l’inventaire désigne.",
    },
    "close.items": {
        "en": "Received, or moved to another day in the inventory: this task is no longer needed. Thank you.",
        "fr": "Bien reçu, ou déplacé à un autre jour dans l’inventaire : cette tâche n’est plus nécessaire. Merci.",
    },
    "inventory.title": {"en": "Inventory, as of version {number}", "fr": "Inventaire, version {number}"},
    "inventory.empty": {"en": "The list is empty again.", "fr": "La liste est de nouveau vide."},
    "inventory.more": {"en": "… and {count} more on the page", "fr": "… et {count} de plus sur la page"},
    "inventory.customer": {"en": "the customer's counterpart", "fr": "l’interlocuteur du client"},
    "inventory.received": {"en": "received on {day}", "fr": "reçu le {day}"},
    "inventory.due": {"en": "by {day}", "fr": "pour le {day}"},
    "figure.rose": {"en": "{label}: from {start} to {now}", "fr": "{label} : de {start} à {now}"},
    "figure.missing.start": {"en": "{label} at the start", "fr": "{label} au départ"},
    "figure.missing.now": {"en": "{label} today", "fr": "{label} aujourd’hui"},
    "chart.title": {"en": "At the start and now", "fr": "Au départ et aujourd’hui"},
    "chart.start": {"en": "At the start", "fr": "Au départ"},
    "chart.now": {"en": "Now", "fr": "Aujourd’hui"},
    "columns.figures": {"en": "Figure|At the start|Now|Change", "fr": "Chiffre|Au départ|Aujourd’hui|Évolution"},
    "columns.milestones": {"en": "When|What|With", "fr": "Quand|Quoi|Avec"},
    "columns.items": {
        "en": "What|Kind|Who|Where|By|Received",
        "fr": "Quoi|Type|Qui|Où|Pour le|Reçu le",
    },
    "document.letter": {"en": "Letter of thanks", "fr": "Lettre de remerciement"},
    "document.achievements": {"en": "Achievements", "fr": "Bilan des réussites"},
    "document.farewell": {"en": "Farewell", "fr": "Message d’au revoir"},
    "document.case-study": {"en": "Case study questions", "fr": "Questions pour un témoignage"},
    "document.plan": {"en": "Transition plan", "fr": "Plan de transition"},
    "document.inventory": {"en": "Inventory", "fr": "Inventaire"},
    "customer": {"en": "the customer", "fr": "le client"},
}


def say_of(kind: CaseKind, key: str, language: str, **values: object) -> str:
    """As :func:`say`, in the words that this kind of case has of its own, where it has some."""
    own = f"{key}.{kind}"
    return say(own if own in _WORDS else key, language, **values)


def say(key: str, language: str, **values: object) -> str:
    """The words for ``key`` in this language, or in English where we have none in it."""
    texts = _WORDS[key]
    return texts.get(language[:2].lower(), texts["en"]).format_map(values)


def ending(kind: CaseKind, outcome: str, language: str) -> str | None:
    """Why a case of this kind ended, in words; None for an outcome that needs none, such as a plan's own end."""
    return say_of(kind, f"end.{outcome}", language) if f"end.{outcome}" in _WORDS else None


def endings(language: str) -> Mapping[str, str]:
    """Why a case may end, by its English words: they stand in the log of cases, and pages say them in this language."""
    ends = [texts for key, texts in _WORDS.items() if key.startswith("end.")]
    return {texts["en"]: texts[language] for texts in ends if language in texts}
