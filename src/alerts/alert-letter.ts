import { escapeHtml } from '../kernel/html';
import { ALERTS, type AlertWord } from '../platform/alerts/alert-words';

/** Longest subject line, in characters. */
const MOST_SUBJECT = 120;

/** One step of an alert, to be told. */
export interface AlertNews {
  alertId: string;
  step: 'raised' | 'cleared';
  clientId: string;
  alert: AlertWord;
  subject: string;
  severity: string;
  /** What was wrong. */
  detail: string;
  /** Why it is over; null: not said. */
  clearedDetail: string | null;
  raisedAt: Date;
  clearedAt: Date | null;
}

export interface Letter {
  subject: string;
  text: string;
  html: string;
}

/** One mail about one or several pieces of news, readable as plain text and as HTML. */
export function alertLetter(news: readonly AlertNews[], publicUrl: string): Letter {
  const [first] = news;
  const subject =
    news.length === 1 ? headline(first!) : `${news.length} alerts: ${[...new Set(news.map(titleOf))].join(', ')}`;
  const blocks = news.map((one) => ({
    head: headline(one),
    lines: linesOf(one),
    url: `${publicUrl}/v1/alerts/${one.alertId}`,
  }));
  const text = blocks.map(({ head, lines, url }) =>
    [head, '', ...lines.map(([name, value]) => `${name}: ${value}`), '', url].join('\n'),
  );
  const html = blocks.map(({ head, lines, url }) => {
    const rows = lines.map(
      ([name, value]) =>
        `<tr><th align="left" valign="top" style="padding:2px 12px 2px 0">${name}</th><td>${escapeHtml(value)}</td></tr>`,
    );
    return `<h3>${escapeHtml(head)}</h3><table>${rows.join('')}</table><p><code>${escapeHtml(url)}</code></p>`;
  });
  return {
    subject: cut(`[UniMsg] ${subject}`),
    text: `${text.join('\n\n---\n\n')}\n`,
    html: `<!doctype html><html><body style="font-family:sans-serif">${html.join('<hr>')}</body></html>`,
  };
}

const titleOf = ({ alert }: AlertNews): string => ALERTS[alert]?.title ?? alert;

function headline(news: AlertNews): string {
  return `${news.step === 'raised' ? 'Alert' : 'Over'}: ${titleOf(news)} (${news.subject})`;
}

function linesOf(news: AlertNews): Array<[name: string, value: string]> {
  const over = news.step === 'cleared';
  return [
    ...(over ? [['Over', news.clearedDetail ?? 'It no longer lasts.'] as [string, string]] : []),
    [over ? 'It was' : 'What', news.detail],
    ['Alert', `${news.alert} (${news.severity})`],
    ['About', news.subject],
    ['Tenant', news.clientId],
    ['Raised', news.raisedAt.toISOString()],
    ...(over && news.clearedAt ? [['Cleared', news.clearedAt.toISOString()] as [string, string]] : []),
  ];
}

function cut(text: string): string {
  const plain = text.replace(/[\p{Cc}\s]+/gu, ' ');
  return plain.length > MOST_SUBJECT ? `${plain.slice(0, MOST_SUBJECT - 1).toWellFormed()}…` : plain;
}
