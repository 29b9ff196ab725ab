import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Button, EmptyState, ErrorState, Link, StatusTag, TableRow, Tag, hubspot } from "@hubspot/ui-extensions";
import { createRenderer } from "@hubspot/ui-extensions/testing";
import { OffboardingCard } from "../src/app/cards/OffboardingCard.tsx";
import { SettingsPage } from "../src/app/settings/SettingsPage.tsx";

const original = hubspot.fetch;
afterEach(() => {
  hubspot.fetch = original;
});

const OFFBOARDING = {
  id: "c1",
  status: "active",
  paused: true,
  playbook: "saas",
  contract_end: "2026-12-31",
  reason: "Price or value",
  done: 2,
  all: 9,
  later: 5,
  next: [
    { title: "Thank them", owner: "Ana Lima", due_at: "2026-11-20T09:00:00Z", overdue: true, link: null },
    { title: "Hold the conversation", owner: null, due_at: null, overdue: false, link: "https://x.example/interview/t" },
  ],
  feedback: [{ by: "customer", at: "2026-11-21T09:00:00Z", score: 7, reason: "Price or value", text: "Too dear." }],
  links: [{ text: "Exit survey", url: "https://x.example/survey/t" }],
};

function show(answer: () => Promise<Response>, language = "en") {
  const asked: string[] = [];
  hubspot.fetch = (url) => {
    asked.push(String(url));
    return answer();
  };
  const renderer = createRenderer("crm.record.tab");
  const user = { ...renderer.mocks.context.user, language };
  renderer.render(<OffboardingCard context={{ crm: { objectId: 500, objectTypeId: "0-3" }, user }} />);
  return { renderer, asked };
}

const told = (body: unknown, status = 200) => () => Promise.resolve(new Response(JSON.stringify(body), { status }));

test("the card shows status, next steps with owner and due day, feedback and links", async () => {
  const { renderer, asked } = show(told({ case: OFFBOARDING }));
  await renderer.waitFor(() => renderer.find(StatusTag));
  assert.deepEqual(asked, ["https://aurevoir.example.com/card/hubspot?dealId=500&language=en"]);
  const text = renderer.getRootNode().toString();
  for (const words of ["Under way", "Paused", "2 of 9 done", "Dec 31, 2026", "Ana Lima", "nobody", "Too dear.", "7/10", "5 more"]) {
    assert.ok(text.includes(words), `${words} is missing`);
  }
  assert.equal(renderer.findAll(TableRow).length, 3);
  assert.equal(renderer.findAll(Tag).filter((tag) => tag.text === "overdue").length, 1);
  const urls = renderer.findAll(Link).map((link) => (typeof link.props.href === "string" ? link.props.href : link.props.href.url));
  assert.deepEqual(urls, ["https://x.example/interview/t", "https://x.example/survey/t"]);
});

test("the card speaks the reader's language", async () => {
  const { renderer, asked } = show(told({ case: OFFBOARDING }), "fr");
  await renderer.waitFor(() => assert.equal(renderer.find(StatusTag).text, "En cours"));
  assert.ok(asked[0]?.endsWith("language=fr"));
});

test("a deal without an offboarding says when one begins", async () => {
  const { renderer } = show(told({ case: null }));
  await renderer.waitFor(() => assert.equal(renderer.find(EmptyState).props.title, "No offboarding"));
});

test("who asked for an offboarding by hand reads why none began", async () => {
  const why = "the deal is not in a not-renewing stage of a watched pipeline (P-01)";
  const { renderer } = show(told({ case: null, not_opened: why }));
  await renderer.waitFor(() => assert.ok(renderer.find(EmptyState).toString().includes(why)));
  const again = show(told({ case: { ...OFFBOARDING, status: "completed" }, not_opened: why })).renderer;
  await again.waitFor(() => assert.ok(again.getRootNode().toString().includes(why)));
});

test("an account that Aurevoir does not know is told so", async () => {
  const { renderer } = show(told({ error: "no" }, 401));
  await renderer.waitFor(() => assert.match(renderer.find(ErrorState).toString(), /not set up/));
});

test("a failed look can be repeated", async () => {
  let calls = 0;
  const { renderer } = show(() => (++calls === 1 ? Promise.reject(new Error("away")) : told({ case: null })()));
  await renderer.waitFor(() => renderer.find(ErrorState));
  renderer.find(Button).trigger("onClick");
  await renderer.waitFor(() => renderer.find(EmptyState));
  assert.equal(calls, 2);
});

test("the settings page leads to our console", () => {
  const renderer = createRenderer("settings");
  renderer.render(<SettingsPage context={{ user: renderer.mocks.context.user }} />);
  const href = renderer.find(Link).props.href;
  assert.equal(typeof href === "string" ? href : href.url, "https://aurevoir.example.com/console");
});
