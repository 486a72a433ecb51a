import fc from 'fast-check';

// CI judges a change, so its property tests draw the same examples each time; everywhere else they draw new ones and go on finding things.
// oxlint-disable-next-line node/no-process-env
if (process.env.CI) fc.configureGlobal({ seed: 20_261_128 });
