/** What Aurevoir tells of a deal, and how it is asked. */

import { hubspot } from "@hubspot/ui-extensions";
import { PUBLIC_URL } from "./address.ts";
import type { Language } from "./words.ts";

export interface NextStep {
  title: string;
  owner: string | null;
  due_at: string | null;
  overdue: boolean;
  link: string | null;
}

export interface Feedback {
  by: "customer" | "csm";
  at: string;
  score: number | null;
  reason: string | null;
  text: string;
}

export interface Offboarding {
  id: string;
  status: string;
  paused: boolean;
  playbook: string;
  contract_end: string | null;
  reason: string | null;
  done: number;
  all: number;
  later: number;
  next: NextStep[];
  feedback: Feedback[];
  links: { text: string; url: string }[];
}

export type Answer =
  | { kind: "loading" }
  | { kind: "found"; offboarding: Offboarding | null; notOpened: string | null }
  | { kind: "unknown" }
  | { kind: "failed" };

const PATIENCE_MS = 10_000;

/** Ask about one deal. HubSpot signs the request and adds the account, so that only its own deals are told. */
export async function fetchOffboarding(dealId: number, language: Language): Promise<Answer> {
  const url = `${PUBLIC_URL}/card/hubspot?dealId=${encodeURIComponent(String(dealId))}&language=${language}`;
  try {
    const response = await hubspot.fetch(url, { method: "GET", timeout: PATIENCE_MS });
    if (response.ok) {
      const body = (await response.json()) as { case: Offboarding | null; not_opened?: string | null };
      return { kind: "found", offboarding: body.case, notOpened: body.not_opened ?? null };
    }
    return { kind: response.status === 401 ? "unknown" : "failed" };
  } catch {
    return { kind: "failed" };
  }
}
