import { writeFileSync } from 'node:fs';

/** Jest reporter: counts for `npm test`. A spec file that could not be loaded counts as one failed test. */
export default class TestSummaryReporter {
  onRunComplete(_contexts, results) {
    const file = process.env.UNIMSG_TEST_SUMMARY;
    if (file === undefined) return;
    const summary = {
      passed: results.numPassedTests,
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      skipped: results.numPendingTests + results.numTodoTests,
    };
    writeFileSync(file, JSON.stringify(summary));
  }
}
