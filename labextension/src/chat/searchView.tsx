/**
 * Finding messages in all rooms.
 */
import * as React from 'react';

import { FoundMessage } from '../protocol/generated';
import { nameOf } from './presence';
import { useChanges, useServices } from './services';
import { titleOf } from './words';

export function SearchView(): JSX.Element {
  const { chat, trans } = useServices();
  const { search } = chat;
  useChanges(search.changed);
  React.useEffect(() => search.shown(), [search]);
  const { text, here, found, error, visited } = search;
  return (
    <div className="jp-WsHub-search">
      <input
        type="search"
        className="jp-mod-styled"
        autoFocus={visited === null}
        value={text}
        placeholder={trans.__('Words in messages')}
        aria-label={trans.__('Words in messages')}
        onChange={event => (search.text = event.target.value)}
      />
      <label>
        <input
          type="checkbox"
          checked={here}
          onChange={event => (search.here = event.target.checked)}
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
        <button
          className="jp-WsHub-action jp-mod-always"
          onClick={() => void search.more()}
        >
          {trans.__('More')}
        </button>
      )}
    </div>
  );
}

function Hit({ hit }: { hit: FoundMessage }): JSX.Element {
  const { chat } = useServices();
  const { search } = chat;
  const { message, snippet } = hit;
  const room = chat.rooms.get(message.room)?.room;
  return (
    <li>
      <button
        className="jp-WsHub-hit"
        autoFocus={search.visited === hit}
        aria-current={search.visited === hit}
        onClick={() => {
          search.visit(hit);
          chat.enter(message.room, message.seq);
        }}
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
