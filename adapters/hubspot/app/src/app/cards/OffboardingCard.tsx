import { useCallback, useEffect, useState } from "react";
import {
  Alert,
  Button,
  DescriptionList,
  DescriptionListItem,
  Divider,
  EmptyState,
  ErrorState,
  Flex,
  Heading,
  Link,
  LoadingSpinner,
  StatusTag,
  Table,
  TableBody,
  TableCell,
  TableHead,
  TableHeader,
  TableRow,
  Tag,
  Text,
  hubspot,
} from "@hubspot/ui-extensions";
import type { CrmContext } from "@hubspot/ui-extensions";
import { fetchOffboarding } from "./offboarding.ts";
import type { Answer, Feedback, NextStep, Offboarding } from "./offboarding.ts";
import { languageOf, wordsIn } from "./words.ts";
import type { Language, Words } from "./words.ts";

hubspot.extend<"crm.record.tab">(({ context }) => <OffboardingCard context={context} />);

/** The goodbye of the deal that is on the screen. */
export function OffboardingCard({ context }: { context: Pick<CrmContext, "crm" | "user"> }) {
  const language = languageOf(context.user.language ?? context.user.locale);
  const words = wordsIn(language);
  const dealId = context.crm.objectId;
  const [answer, setAnswer] = useState<Answer>({ kind: "loading" });

  const look = useCallback(() => {
    let wanted = true;
    setAnswer({ kind: "loading" });
    void fetchOffboarding(dealId, language).then((found) => wanted && setAnswer(found));
    return () => {
      wanted = false;
    };
  }, [dealId, language]);

  useEffect(look, [look]);

  if (answer.kind === "loading") return <LoadingSpinner label={words.loading} showLabel />;
  if (answer.kind !== "found") {
    return (
      <ErrorState title={words.failed}>
        <Text>{answer.kind === "unknown" ? words.unknown : words.failedWhy}</Text>
        <Button onClick={() => void look()}>{words.reload}</Button>
      </ErrorState>
    );
  }
  if (answer.offboarding === null) {
    return (
      <EmptyState title={words.none} layout="vertical" imageName="deals">
        <Text>{answer.notOpened === null ? words.noneWhy : words.notOpened(answer.notOpened)}</Text>
      </EmptyState>
    );
  }
  return (
    <Flex direction="column" gap="medium">
      {answer.notOpened !== null && <Alert title={words.notOpened(answer.notOpened)} variant="warning" />}
      <Summary offboarding={answer.offboarding} words={words} language={language} />
      <Divider />
      <NextSteps offboarding={answer.offboarding} words={words} language={language} />
      <Divider />
      <FeedbackList feedback={answer.offboarding.feedback} words={words} language={language} />
      <Links links={answer.offboarding.links} words={words} />
      <Button variant="secondary" size="small" onClick={() => void look()}>
        {words.reload}
      </Button>
    </Flex>
  );
}

interface Part {
  words: Words;
  language: Language;
}

function Summary({ offboarding, words, language }: Part & { offboarding: Offboarding }) {
  const tone = { active: "info", awaiting_reason: "warning", completed: "success" } as const;
  const variant = tone[offboarding.status as keyof typeof tone] ?? "default";
  return (
    <Flex direction="column" gap="small">
      <Flex direction="row" gap="small">
        <StatusTag variant={variant}>{words.status[offboarding.status] ?? offboarding.status}</StatusTag>
        {offboarding.paused && <Tag variant="warning">{words.paused}</Tag>}
      </Flex>
      <DescriptionList direction="row">
        <DescriptionListItem label={words.contractEnd}>
          <Text>{offboarding.contract_end ? day(offboarding.contract_end, language) : words.noEnd}</Text>
        </DescriptionListItem>
        <DescriptionListItem label={words.reason}>
          <Text>{offboarding.reason ?? "–"}</Text>
        </DescriptionListItem>
        <DescriptionListItem label={words.tasks}>
          <Text>{words.done(offboarding.done, offboarding.all)}</Text>
        </DescriptionListItem>
        <DescriptionListItem label={words.playbook}>
          <Text>{offboarding.playbook}</Text>
        </DescriptionListItem>
      </DescriptionList>
    </Flex>
  );
}

function NextSteps({ offboarding, words, language }: Part & { offboarding: Offboarding }) {
  const { next, later } = offboarding;
  return (
    <Flex direction="column" gap="small">
      <Heading>{words.next}</Heading>
      {next.length === 0 ? (
        <Text>{words.nothingOpen}</Text>
      ) : (
        <Table bordered>
          <TableHead>
            <TableRow>
              <TableHeader>{words.task}</TableHeader>
              <TableHeader>{words.owner}</TableHeader>
              <TableHeader>{words.due}</TableHeader>
            </TableRow>
          </TableHead>
          <TableBody>
            {next.map((step, at) => (
              <StepRow key={at} step={step} words={words} language={language} />
            ))}
          </TableBody>
        </Table>
      )}
      {later > 0 && <Text variant="microcopy">{words.later(later)}</Text>}
    </Flex>
  );
}

function StepRow({ step, words, language }: Part & { step: NextStep }) {
  return (
    <TableRow>
      <TableCell>
        {step.title} {step.link !== null && <Link href={{ url: step.link, external: true }}>{words.open}</Link>}
      </TableCell>
      <TableCell>{step.owner ?? words.nobody}</TableCell>
      <TableCell>
        {step.due_at === null ? "–" : day(step.due_at, language)}{" "}
        {step.overdue && <Tag variant="warning">{words.overdue}</Tag>}
      </TableCell>
    </TableRow>
  );
}

function FeedbackList({ feedback, words, language }: Part & { feedback: Feedback[] }) {
  return (
    <Flex direction="column" gap="small">
      <Heading>{words.feedback}</Heading>
      {feedback.length === 0 && <Text>{words.noFeedback}</Text>}
      {feedback.map((one, at) => (
        <Flex key={at} direction="column" gap="extra-small">
          <Text format={{ fontWeight: "bold" }}>
            {one.by === "customer" ? words.customer : words.csm}, {day(one.at, language)}
          </Text>
          {one.score !== null && <Text>{`${words.score}: ${one.score}/10`}</Text>}
          {one.reason !== null && <Text>{`${words.reason}: ${one.reason}`}</Text>}
          <Text>{one.text}</Text>
        </Flex>
      ))}
    </Flex>
  );
}

function Links({ links, words }: { links: Offboarding["links"]; words: Words }) {
  if (links.length === 0) return null;
  return (
    <Flex direction="column" gap="extra-small">
      <Heading>{words.links}</Heading>
      {links.map((one) => (
        <Link key={one.url} href={{ url: one.url, external: true }}>
          {one.text}
        </Link>
      ))}
    </Flex>
  );
}

/** A day in the reader's language. A plain date stays that date, whatever the zone of the browser. */
function day(text: string, language: Language): string {
  const options: Intl.DateTimeFormatOptions = { dateStyle: "medium" };
  if (!text.includes("T")) options.timeZone = "UTC";
  return new Intl.DateTimeFormat(language, options).format(new Date(text));
}
