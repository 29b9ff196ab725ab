/** What the card says, in the languages that Aurevoir speaks. */

export type Language = "en" | "fr";

const en = {
  loading: "Looking up the offboarding",
  reload: "Look again",
  failed: "The offboarding could not be read",
  failedWhy: "Aurevoir did not answer as it should. Try again in a minute; if it stays, tell the admin of Aurevoir.",
  unknown: "This account is not set up in Aurevoir, or the app was not installed by its admin.",
  none: "No offboarding",
  noneWhy: "It begins by itself when this deal enters a stage that means: not renewing.",
  notOpened: (why: string) => `One was asked for by hand, and none began: ${why}.`,
  status: {
    settling: "Waiting a while, in case the stage was set by mistake",
    awaiting_reason: "Awaiting the reason",
    active: "Under way",
    completed: "Completed",
    cancelled: "Cancelled",
    dismissed: "Dismissed: the stage did not last",
    stopped: "Stopped: the record went away",
  } as Record<string, string>,
  paused: "Paused",
  playbook: "Playbook",
  contractEnd: "End of the contract",
  noEnd: "not known",
  reason: "Reason",
  tasks: "Tasks",
  done: (done: number, all: number) => `${done} of ${all} done`,
  next: "Next steps",
  nothingOpen: "Nothing is open just now.",
  later: (count: number) => (count === 1 ? "1 more step appears later." : `${count} more steps appear later.`),
  task: "What",
  owner: "Who",
  due: "Until",
  nobody: "nobody",
  overdue: "overdue",
  open: "Open",
  feedback: "Feedback",
  noFeedback: "No answer yet.",
  customer: "The customer",
  csm: "From the conversation",
  score: "Score",
  links: "Links",
};

export type Words = typeof en;

const fr: Words = {
  loading: "Lecture du départ",
  reload: "Actualiser",
  failed: "Le départ n’a pas pu être lu",
  failedWhy:
    "Aurevoir n’a pas répondu comme prévu. Réessayez dans une minute ; si cela persiste, prévenez l’administrateur d’Aurevoir.",
  unknown: "Ce compte n’est pas configuré dans Aurevoir, ou l’application n’a pas été installée par son administrateur.",
  none: "Aucun départ",
  noneWhy: "Il commence de lui-même quand la transaction passe à une étape qui signifie : pas de renouvellement.",
  notOpened: (why) => `Un départ a été demandé à la main, et aucun n’a commencé : ${why}.`,
  status: {
    settling: "En attente, au cas où l’étape aurait été choisie par erreur",
    awaiting_reason: "En attente du motif",
    active: "En cours",
    completed: "Terminé",
    cancelled: "Annulé",
    dismissed: "Écarté : l’étape n’a pas duré",
    stopped: "Arrêté : la fiche a disparu",
  },
  paused: "En pause",
  playbook: "Scénario",
  contractEnd: "Fin du contrat",
  noEnd: "inconnue",
  reason: "Motif",
  tasks: "Tâches",
  done: (done, all) => `${done} sur ${all} terminées`,
  next: "Prochaines étapes",
  nothingOpen: "Rien n’est ouvert pour le moment.",
  later: (count) => (count === 1 ? "1 autre étape apparaîtra plus tard." : `${count} autres étapes apparaîtront plus tard.`),
  task: "Quoi",
  owner: "Qui",
  due: "Échéance",
  nobody: "personne",
  overdue: "en retard",
  open: "Ouvrir",
  feedback: "Retours",
  noFeedback: "Pas encore de réponse.",
  customer: "Le client",
  csm: "D’après l’entretien",
  score: "Note",
  links: "Liens",
};

const spoken: Record<Language, Words> = { en, fr };

/** The card's language for a person's (`fr`, `fr-ca`, `en`, nothing). */
export function languageOf(code: string | undefined): Language {
  return code?.toLowerCase().startsWith("fr") ? "fr" : "en";
}

export function wordsIn(language: Language): Words {
  return spoken[language];
}
