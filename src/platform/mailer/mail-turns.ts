/** Most mails of one owner that wait at once. */
export const MOST_WAITING = 500;

/** Who waits for a connection; told whether it may go on. */
export type Turn = (may: boolean) => void;

/** Waiting mails by owner, in the order in which owners have their turns. */
type Line = Map<string, Turn[]>;

/**
 * Who is next to get a connection. Owners take turns, so that the mails of one do not keep those of another waiting, and what is urgent goes
 * before all that is not.
 */
export class MailTurns {
  private readonly urgent: Line = new Map();
  private readonly ordinary: Line = new Map();

  /** False when the owner has too many waiting already. */
  add(owner: string, isUrgent: boolean, turn: Turn): boolean {
    const line = isUrgent ? this.urgent : this.ordinary;
    const turns = line.get(owner);
    if (turns === undefined) line.set(owner, [turn]);
    else if (turns.length >= MOST_WAITING) return false;
    else turns.push(turn);
    return true;
  }

  /** Takes out the next one. */
  next(): Turn | undefined {
    return nextOf(this.urgent) ?? nextOf(this.ordinary);
  }

  /** Takes out one that waits no more. */
  remove(owner: string, isUrgent: boolean, turn: Turn): void {
    const line = isUrgent ? this.urgent : this.ordinary;
    const turns = line.get(owner);
    const at = turns?.indexOf(turn) ?? -1;
    if (at === -1) return;
    turns!.splice(at, 1);
    if (turns!.length === 0) line.delete(owner);
  }
}

function nextOf(line: Line): Turn | undefined {
  const [first] = line;
  if (first === undefined) return undefined;
  const [owner, turns] = first;
  const turn = turns.shift();
  line.delete(owner);
  // To the end: the others come first now.
  if (turns.length > 0) line.set(owner, turns);
  return turn;
}
