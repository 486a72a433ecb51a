import type { OutlineTable, ReportOutline } from './report-outline';

const FONT = 'font-family:Arial,Helvetica,sans-serif';
const INK = '#1f2933';
const MUTED = '#52606d';
const LINE = '#d9e2ec';
const BAR = '#2f6fed';
const CELL = `padding:6px 5px;border-bottom:1px solid ${LINE};${FONT};font-size:13px;color:${INK}`;
const NUMBER = `${CELL};white-space:nowrap`;
const HEADLINE_COLUMNS = 4;

/**
 * The HTML part of a mail. Tables and inline styles only, since mail programs drop the rest; nothing is loaded from anywhere. All that tenants have
 * named is escaped.
 */
export function reportHtml(outline: ReportOutline): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light">
<title>${escape(outline.subject)}</title>
</head>
<body style="margin:0;padding:0;background:#f0f4f8">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" bgcolor="#f0f4f8"><tr><td align="center" style="padding:16px 8px">
<table role="presentation" width="680" cellpadding="0" cellspacing="0" border="0" bgcolor="#ffffff" style="width:100%;max-width:680px;background:#ffffff;border:1px solid ${LINE}">
<tr><td style="padding:24px 24px 8px">
<h1 style="margin:0 0 8px;${FONT};font-size:22px;line-height:28px;color:${INK}">${escape(outline.title)}</h1>
${outline.about.map((line) => `<p style="margin:0 0 4px;${FONT};font-size:14px;line-height:20px;color:${MUTED}">${escape(line)}</p>`).join('\n')}
</td></tr>
<tr><td style="padding:8px 16px">
${headline(outline.headline)}
${outline.standing.map((line) => `<p style="margin:4px 8px 0;${FONT};font-size:13px;line-height:18px;color:${INK}">${escape(line)}</p>`).join('\n')}
</td></tr>
${outline.tables.map((one) => `<tr><td style="padding:8px 24px">\n${table(one)}\n</td></tr>`).join('\n')}
<tr><td style="padding:16px 24px 24px">
${outline.notes.map((note) => `<p style="margin:0 0 4px;${FONT};font-size:12px;line-height:18px;color:${MUTED}">${escape(note)}</p>`).join('\n')}
</td></tr>
</table>
</td></tr></table>
</body>
</html>
`;
}

function headline(figures: ReportOutline['headline']): string {
  const rows: string[] = [];
  for (let at = 0; at < figures.length; at += HEADLINE_COLUMNS) {
    const cells = figures.slice(at, at + HEADLINE_COLUMNS).map(
      ({ label, value, note }) => `<td width="25%" valign="top" style="padding:8px;${FONT}">
<div style="font-size:12px;color:${MUTED}">${escape(label)}</div>
<div style="font-size:18px;line-height:24px;font-weight:bold;color:${INK}">${lines(value)}</div>
<div style="font-size:11px;line-height:15px;color:${MUTED}">${escape(note)}</div></td>`,
    );
    rows.push(`<tr>${cells.join('\n')}</tr>`);
  }
  return `<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">${rows.join('\n')}</table>`;
}

function table({ title, header, rows }: OutlineTable): string {
  const bars = rows.some(({ bar }) => bar !== undefined);
  const head = [...header.slice(0, 1), ...(bars ? [''] : []), ...header.slice(1)].map(
    (text, index) =>
      `<th align="${alignment(index, bars)}" style="${CELL};font-size:12px;color:${MUTED};font-weight:bold">${escape(text)}</th>`,
  );
  const body = rows.map(({ cells, bar }) => {
    const shown = cells.map(lines);
    if (bars) shown.splice(1, 0, barOf(bar ?? 0));
    return `<tr>${shown
      .map(
        (html, index) =>
          `<td align="${alignment(index, bars)}" style="${index === 0 ? CELL : NUMBER}"${bars && index === 1 ? ' width="66"' : ''}>${html}</td>`,
      )
      .join('')}</tr>`;
  });
  return `<h2 style="margin:8px 0 4px;${FONT};font-size:15px;color:${INK}">${escape(title)}</h2>
<table width="100%" cellpadding="0" cellspacing="0" border="0" style="border-collapse:collapse">
<thead><tr>${head.join('')}</tr></thead>
<tbody>
${body.join('\n')}
</tbody></table>`;
}

function alignment(index: number, bars: boolean): string {
  return index === 0 || (bars && index === 1) ? 'left' : 'right';
}

/** Of table cells, since many programs show no images and no drawings. */
function barOf(share: number): string {
  const width = Math.round(share * 60);
  if (width === 0) return '&nbsp;';
  return `<table role="presentation" width="${width}" cellpadding="0" cellspacing="0" border="0"><tr><td height="10" bgcolor="${BAR}" style="height:10px;line-height:10px;font-size:1px;background:${BAR}">&nbsp;</td></tr></table>`;
}

/** Escaped, one below the other. */
function lines(text: string): string {
  return escape(text).replaceAll('\n', '<br>');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
