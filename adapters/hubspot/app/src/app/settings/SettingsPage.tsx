import { EmptyState, Link, Text, hubspot } from "@hubspot/ui-extensions";
import type { SettingsContext } from "@hubspot/ui-extensions";
import { PUBLIC_URL } from "./address.ts";

hubspot.extend<"settings">(({ context }) => <SettingsPage context={context} />);

const WORDS = {
  en: {
    title: "Aurevoir is set up in its own console",
    text: "Choose pipelines and stages, people, playbook, calendar and language there, rehearse on past deals, and switch it on.",
    link: "Open the console",
  },
  fr: {
    title: "Aurevoir se configure dans sa propre console",
    text: "Vous y choisissez pipelines et étapes, personnes, scénario, calendrier et langue, vous répétez sur d’anciennes transactions, puis vous mettez en service.",
    link: "Ouvrir la console",
  },
};

/** Says where Aurevoir is set up: secrets and people are no business of a page inside HubSpot. */
export function SettingsPage({ context }: { context: Pick<SettingsContext, "user"> }) {
  const language = (context.user.language ?? context.user.locale ?? "").toLowerCase();
  const words = language.startsWith("fr") ? WORDS.fr : WORDS.en;
  return (
    <EmptyState title={words.title} layout="horizontal" imageName="building">
      <Text>{words.text}</Text>
      <Link href={{ url: `${PUBLIC_URL}/console`, external: true }}>{words.link}</Link>
    </EmptyState>
  );
}
