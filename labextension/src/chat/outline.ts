/**
 * A room as a list to be shown: what the server has, and below it what is on its way.
 */
import { Author, ChatMessage } from '../protocol/generated';
import { IOutgoing } from './outbox';
import { RoomModel } from './roomModel';

/** A message as it is shown. */
export interface IShown {
  readonly id: string;
  readonly author: Author;
  readonly text: string;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly time: number;
  /** The text grows, and is shown by who follows it. */
  readonly streaming: boolean;
  readonly deleted: boolean;
  /** As the server has it; null while it is on its way. */
  readonly message: ChatMessage | null;
  readonly outgoing: IOutgoing | null;
}

/** All messages of a room in the order in which they are shown. */
export function outline(model: RoomModel, me: Author): IShown[] {
  return [
    ...model.messages.map(shownMessage),
    ...model.outgoing.map(outgoing => shownOutgoing(outgoing, me))
  ];
}

/** One message of a room. */
export function find(model: RoomModel, id: string, me: Author): IShown | null {
  const message = model.get(id);
  if (message) {
    return shownMessage(message);
  }
  const outgoing = model.outgoing.find(other => other.id === id);
  return outgoing ? shownOutgoing(outgoing, me) : null;
}

function shownMessage(message: ChatMessage): IShown {
  const { id, author, text, time, deleted } = message;
  const streaming = message.answer?.state === 'writing';
  const own = { id, author, text, time, deleted };
  return { ...own, streaming, message, outgoing: null };
}

function shownOutgoing(outgoing: IOutgoing, author: Author): IShown {
  const { id, text, time } = outgoing;
  const own = { id, author, text, time, deleted: false };
  return { ...own, streaming: false, message: null, outgoing };
}

/** What turns one list of ids into another: places to take out of the old one, last first; then runs to put in. */
export interface IEdits {
  readonly remove: readonly number[];
  readonly insert: readonly { at: number; from: number; to: number }[];
}

/** The edits that keep as much as they can in place: what stands in both, in the same order, is left alone. */
export function editsOf(
  old: readonly string[],
  next: readonly string[]
): IEdits {
  const places = new Map(next.map((id, index) => [id, index]));
  const kept = new Set<string>();
  const remove: number[] = [];
  let last = -1;
  old.forEach((id, index) => {
    const place = places.get(id);
    if (place !== undefined && place > last) {
      last = place;
      kept.add(id);
    } else {
      remove.unshift(index);
    }
  });
  const insert: { at: number; from: number; to: number }[] = [];
  for (let from = 0; from < next.length; from++) {
    if (!kept.has(next[from]!)) {
      let to = from + 1;
      while (to < next.length && !kept.has(next[to]!)) {
        to++;
      }
      insert.push({ at: from, from, to });
      from = to;
    }
  }
  return { remove, insert };
}

/** The letters that stand for somebody. */
export function initialsOf(name: string): string {
  const words = name.split(/[\s._-]+/).filter(word => word !== '');
  const letters = words.map(word => [...word][0] ?? '');
  const [first = '?', ...others] = letters;
  return (first + (others[others.length - 1] ?? '')).toUpperCase();
}

/** How many colours there are for avatars. */
export const COLOURS = 8;

/** The number of somebody's colour. */
export function colourOf(username: string): number {
  let sum = 0;
  for (const letter of username) {
    sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973;
  }
  return sum % COLOURS;
}
