/**
 * The sidebar's top: where one is, the state of the connection, and what can be done with the room.
 */
import { searchIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Room } from '../protocol/generated';
import { backIcon, lockIcon, moreIcon } from './icons';
import { IMenuItem, isByKeyboard, openMenu } from './menu';
import { nameOf } from './presence';
import { IChatServices, useChanges, useServices } from './services';
import { connectionText, titleOf } from './words';

export function Header(): JSX.Element {
  const services = useServices();
  const { chat, trans } = services;
  useChanges(chat.changed, chat.rooms.changed);
  const { view, open, rooms } = chat;
  const room = open ? rooms.get(open.model.room)?.room : undefined;
  const inRoom = view === 'room' && open !== null;
  const others = open
    ? rooms.total - unreadOf(services, open.model.room)
    : rooms.total;
  return (
    <header className="jp-WsHub-chatHeader">
      {view !== 'rooms' && (
        <IconButton
          icon={backIcon}
          label={
            others > 0
              ? trans._n('All rooms, %1 unread', 'All rooms, %1 unread', others)
              : trans.__('All rooms')
          }
          onClick={() => chat.show('rooms')}
          badge={others}
        />
      )}
      <h2 className="jp-WsHub-chatTitle">
        {inRoom && room?.private && (
          <lockIcon.react tag="span" width="12px" title={trans.__('Private')} />
        )}
        {inRoom
          ? room
            ? titleOf(room)
            : open.model.room
          : view === 'search'
            ? trans.__('Search')
            : trans.__('Rooms')}
      </h2>
      {inRoom && <People />}
      <ConnectionDot />
      <IconButton
        icon={searchIcon}
        label={trans.__('Search messages')}
        onClick={() => chat.show('search')}
      />
      {inRoom && room && (
        <IconButton
          icon={moreIcon}
          label={trans.__('Actions of this room')}
          menu
          onClick={event => roomMenu(event, room, services)}
        />
      )}
    </header>
  );
}

function unreadOf({ chat }: IChatServices, name: string): number {
  const state = chat.rooms.get(name);
  return state ? chat.rooms.unread(state) : 0;
}

export function IconButton(props: {
  icon: { react: typeof backIcon.react };
  label: string;
  onClick: (event: React.MouseEvent<HTMLElement>) => void;
  menu?: boolean;
  badge?: number;
}): JSX.Element {
  const { icon: Icon, label, onClick, menu, badge = 0 } = props;
  return (
    <button
      className="jp-WsHub-tool"
      title={label}
      aria-label={label}
      aria-haspopup={menu ? 'menu' : undefined}
      onClick={onClick}
    >
      <Icon.react tag="span" width="16px" />
      {badge > 0 && (
        <span className="jp-WsHub-badge" aria-hidden="true">
          {badge}
        </span>
      )}
    </button>
  );
}

/** How many others are here; who, in its title. */
function People(): JSX.Element | null {
  const { chat, trans } = useServices();
  const { open } = chat;
  const presence = open?.presence;
  useChanges(...(presence ? [presence.changed] : []));
  const others = (presence?.people ?? []).filter(
    ({ username }) => username !== chat.me.username
  );
  return others.length === 0 ? null : (
    <span
      className="jp-WsHub-people"
      title={others.map(nameOf).join('\n')}
      aria-label={trans.__('Also here: %1', others.map(nameOf).join(', '))}
      role="note"
    >
      {trans.__('+%1', others.length)}
    </span>
  );
}

/** The state of the connection, quietly: nothing to see while all is well. */
function ConnectionDot(): JSX.Element {
  const { chat, trans } = useServices();
  useChanges(chat.changed, chat.outbox.changed);
  const words = connectionText(
    chat.connection,
    chat.outbox.all.filter(({ state }) => state !== 'failed').length,
    trans
  );
  return (
    <span
      className="jp-WsHub-chatConnection"
      data-state={chat.connection}
      role="status"
      title={words || trans.__('Connected')}
    >
      {words !== '' && <span className="jp-WsHub-dot" aria-hidden="true" />}
      <span className="jp-WsHub-visuallyHidden">{words}</span>
    </span>
  );
}

function roomMenu(
  event: React.MouseEvent<HTMLElement>,
  room: Room,
  { actions, chat, trans }: IChatServices
): void {
  const may = chat.isModerator(room.name);
  const archive = room.archived ? trans.__('Open again') : trans.__('Archive');
  const items: (IMenuItem | false)[] = [
    may && { label: trans.__('Rename…'), run: () => actions.rename(room) },
    room.private && {
      label: trans.__('Members…'),
      run: () => actions.members(room)
    },
    { label: trans.__('Export…'), run: () => actions.export(room) },
    may && { label: archive, run: () => actions.archive(room) },
    may && { label: trans.__('Delete…'), run: () => actions.remove(room) }
  ];
  openMenu(
    event.currentTarget,
    items.filter((item): item is IMenuItem => item !== false),
    isByKeyboard(event)
  );
}
