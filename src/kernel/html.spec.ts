import { escapeHtml } from './html';

describe('escapeHtml', () => {
  it('leaves nothing that is markup, and all other text as it is', () => {
    expect(escapeHtml(`<a href="x" title='y'>Tom & Jerry</a> 😀 été`)).toBe(
      '&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;Tom &amp; Jerry&lt;/a&gt; 😀 été',
    );
  });
});
