/**
 * Finding messages, and taking a room's messages out as a document.
 */
import { FoundMessage } from '../protocol/generated';
import { IConnectionManager } from '../tokens';

/** What a search has come to. */
export interface IFound {
  readonly hits: readonly FoundMessage[];
  readonly more: boolean;
}

const PAGE = 30;

/** Search in one room, or with "" in all that the user may read; `skip` hits are known. */
export async function search(
  connections: IConnectionManager,
  text: string,
  room: string,
  skip = 0,
  signal?: AbortSignal
): Promise<IFound> {
  const words = text.trim();
  if (words === '') {
    return { hits: [], more: false };
  }
  const params = { text: words, room, limit: PAGE, skip };
  return connections.request('chat.search', params, { signal });
}

export type ExportFormat = 'markdown' | 'json';

/** A room as a document. */
export async function exportRoom(
  connections: IConnectionManager,
  room: string,
  format: ExportFormat
): Promise<Blob> {
  const parts: string[] = [];
  for await (const { text } of connections.stream('chat.export', {
    room,
    format
  })) {
    parts.push(text);
  }
  const type = format === 'json' ? 'application/json' : 'text/markdown';
  return new Blob(parts, { type: `${type};charset=utf-8` });
}

/** Let the browser save a document. */
export function save(document_: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(document_);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
}
