/**
 * The rooms, with how much in each was not read.
 */
import * as React from 'react';

import { RoomState } from '../protocol/generated';
import { lockIcon } from './icons';
import { useChanges, useServices } from './services';
import { titleOf } from './words';

export function RoomList(): JSX.Element {
  const { chat, actions, trans } = useServices();
  const { rooms } = chat;
  const holder = React.useRef<HTMLDivElement>(null);
  useChanges(rooms.changed);
  React.useEffect(() => focusRow(holder.current, chat.open?.model.room), []);
  return (
    <div className="jp-WsHub-rooms" ref={holder}>
      {rooms.error !== null && (
        <p className="jp-WsHub-chatNotice" role="alert">
          {rooms.error}
        </p>
      )}
      {!rooms.isReady && rooms.error === null && (
        <p className="jp-WsHub-chatNotice">{trans.__('Loading…')}</p>
      )}
      <ul aria-label={trans.__('Rooms')}>
        {rooms.rooms.map(state => (
          <RoomRow key={state.room.name} state={state} />
        ))}
      </ul>
      <button
        className="jp-WsHub-newRoom jp-Button jp-mod-styled"
        onClick={() => actions.create()}
      >
        {trans.__('New room…')}
      </button>
    </div>
  );
}

/** Where the focus was on what the list has taken the place of, it goes to the room that the user comes from. */
function focusRow(list: HTMLElement | null, room: string | undefined): void {
  const rows = [...(list?.querySelectorAll<HTMLElement>('[data-room]') ?? [])];
  if (document.activeElement === document.body) {
    (rows.find(row => row.dataset['room'] === room) ?? rows[0])?.focus();
  }
}

function RoomRow({ state }: { state: RoomState }): JSX.Element {
  const { chat, trans } = useServices();
  const { room } = state;
  const unread = chat.rooms.unread(state);
  return (
    <li>
      <button
        className={`jp-WsHub-roomRow${unread > 0 ? ' jp-mod-unread' : ''}`}
        data-room={room.name}
        onClick={() => chat.enter(room.name)}
      >
        <span className="jp-WsHub-roomTitle">{titleOf(room)}</span>
        {room.private && (
          <lockIcon.react tag="span" width="12px" title={trans.__('Private')} />
        )}
        {room.archived && (
          <span className="jp-WsHub-details">{trans.__('archived')}</span>
        )}
        {unread > 0 && (
          <span
            className="jp-WsHub-badge"
            aria-label={trans._n('%1 unread', '%1 unread', unread)}
            role="img"
          >
            {unread > 99 ? '99+' : unread}
          </span>
        )}
      </button>
    </li>
  );
}
