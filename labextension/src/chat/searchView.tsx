/**
 * Finding messages in all rooms.
 */
import * as React from 'react';

import { FoundMessage } from '../protocol/generated';
import { nameOf } from './presence';
import { useServices } from './services';
import { IFound, search } from './transcripts';
import { titleOf } from './words';

const PAUSE_MS = 250;

export function SearchView(): JSX.Element {
  const { trans } = useServices();
  const [text, setText] = React.useState('');
  const [here, setHere] = React.useState(false);
  const [found, more, error] = useSearch(text, here);
  return (
    <div className="jp-WsHub-search">
      <input
        type="search"
        className="jp-mod-styled"
        autoFocus
        value={text}
        placeholder={trans.__('Words in messages')}
        aria-label={trans.__('Words in messages')}
        onChange={event => setText(event.target.value)}
      />
      <label>
        <input
          type="checkbox"
          checked={here}
          onChange={event => setHere(event.target.checked)}
        />{' '}
        {trans.__('Only in the room that was open')}
      </label>
      <div role="status" className="jp-WsHub-details">
        {error ??
          (found &&
            text.trim() !== '' &&
            (found.hits.length === 0
              ? trans.__('Nothing was found.')
              : trans._n('%1 message', '%1 messages', found.hits.length)))}
      </div>
      <ul aria-label={trans.__('Found messages')}>
        {found?.hits.map(hit => (
          <Hit key={`${hit.message.room}/${hit.message.id}`} hit={hit} />
        ))}
      </ul>
      {found?.more && (
        <button className="jp-WsHub-action jp-mod-always" onClick={more}>
          {trans.__('More')}
        </button>
      )}
    </div>
  );
}

function Hit({ hit }: { hit: FoundMessage }): JSX.Element {
  const { chat } = useServices();
  const { message, snippet } = hit;
  const room = chat.rooms.get(message.room)?.room;
  return (
    <li>
      <button
        className="jp-WsHub-hit"
        onClick={() => chat.enter(message.room)}
        title={new Date(message.time).toLocaleString()}
      >
        <span className="jp-WsHub-details">
          {nameOf(message.author)} · {room ? titleOf(room) : message.room} ·{' '}
          {new Date(message.time).toLocaleDateString()}
        </span>
        <span className="jp-WsHub-snippet">{snippet}</span>
      </button>
    </li>
  );
}

/** What is found so far, how to get more of it, and what went wrong. */
function useSearch(
  text: string,
  here: boolean
): [IFound | null, () => void, string | null] {
  const { chat } = useServices();
  const [found, setFound] = React.useState<IFound | null>(null);
  const [error, setError] = React.useState<string | null>(null);
  const room = here ? (chat.open?.model.room ?? '') : '';
  const look = (skip: number, signal?: AbortSignal) =>
    search(chat.connections, text, room, skip, signal).then(
      next => {
        if (!signal?.aborted) {
          setError(null);
          setFound(before =>
            skip === 0 || !before
              ? next
              : { ...next, hits: [...before.hits, ...next.hits] }
          );
        }
      },
      (failed: Error) => {
        if (!signal?.aborted) {
          setError(failed.message);
        }
      }
    );
  React.useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(() => void look(0, abort.signal), PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text, room]);
  return [found, () => void look(found?.hits.length ?? 0), error];
}
