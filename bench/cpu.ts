import { readFileSync, readdirSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** User and system seconds that a process has used; Linux only, elsewhere NaN. */
export function cpuSeconds(pid: number): number {
  const fields = statFields(pid);
  return fields ? (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND : Number.NaN;
}

/** The same of a process with all its descendants, those that ended included. */
export function cpuSecondsOfTree(root: number): number {
  const all = new Map<number, string[]>();
  for (const name of listProcesses()) {
    const fields = statFields(Number(name));
    if (fields) all.set(Number(name), fields);
  }
  const isBelow = (pid: number): boolean => {
    for (let at = pid; at > 1; at = Number(all.get(at)?.[1] ?? 0)) if (at === root) return true;
    return false;
  };
  let ticks = 0;
  for (const [pid, fields] of all) {
    if (isBelow(pid)) ticks += Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]);
  }
  return all.size === 0 ? Number.NaN : ticks / TICKS_PER_SECOND;
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** The fields of /proc/<pid>/stat behind the name, which may hold anything. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
