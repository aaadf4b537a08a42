/** What a browser's User-Agent is called by people: it names many others beside itself. */

import { say } from "../core/words.js";

// The first that it names is it.
const BROWSERS = { "Edg": "Edge", "OPR": "Opera", "SamsungBrowser": "Samsung Internet", "Firefox": "Firefox", "FxiOS": "Firefox" };
const OTHERS = { "CriOS": "Chrome", "Chrome": "Chrome", "HeadlessChrome": "Chrome", "Safari": "Safari" };
const SYSTEMS = { "iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows", "Mac OS X": "macOS", "CrOS": "ChromeOS", "Linux": "Linux" };

/** "Firefox, Windows"; what is no browser is called as it calls itself. */
export function agentName(agent) {
  const [browser, system] = [{ ...BROWSERS, ...OTHERS }, SYSTEMS].map((known) => firstIn(agent, known));
  if (!agent) return say("account.sessions.unknown");
  return agent.startsWith("Mozilla/") && browser && system ? `${browser}, ${system}` : agent;
}

const firstIn = (agent, known) => Object.entries(known).find(([sign]) => agent.includes(sign))?.[1];
