import { asUri } from './uri';

describe('asUri', () => {
  it.each([
    ['https://cdn.example.com/a.jpg', 'https://cdn.example.com/a.jpg'],
    [
      'https://cdn.example.com/f%C3%A4il%20e.pdf?x=1&y=a+b#top',
      'https://cdn.example.com/f%C3%A4il%20e.pdf?x=1&y=a+b#top',
    ],
    ['https://bücher.example/fäil 1.docx?q=ü', 'https://xn--bcher-kva.example/f%C3%A4il%201.docx?q=%C3%BC'],
    ['https://a.example/[1].jpg?s=a|b^c{d}&f[]=`', 'https://a.example/%5B1%5D.jpg?s=a%7Cb%5Ec%7Bd%7D&f%5B%5D=%60'],
    ['http://user:pw@[2001:db8::1]:8080/x[', 'http://user:pw@[2001:db8::1]:8080/x%5B'],
    ['https://example.com', 'https://example.com/'],
    ['no address', 'no address'],
    ['mailto:jörg@example.com', 'mailto:jörg@example.com'],
  ])('makes %s a URI', (address, uri) => {
    expect(asUri(address)).toBe(uri);
    expect(asUri(uri)).toBe(uri);
  });
});
