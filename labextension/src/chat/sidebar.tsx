/**
 * The chat's sidebar.
 */
import { ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import * as React from 'react';

import { Header } from './header';
import { chatIcon } from './icons';
import { RoomList } from './roomList';
import { RoomView } from './roomView';
import { SearchView } from './searchView';
import {
  IChatServices,
  ServicesProvider,
  useChanges,
  useServices
} from './services';

function Views(): JSX.Element | null {
  const { chat } = useServices();
  useChanges(chat.changed);
  switch (chat.view) {
    case 'rooms':
      return <RoomList />;
    case 'search':
      return <SearchView />;
    case 'room':
      return (
        chat.open && <RoomView key={chat.open.model.room} open={chat.open} />
      );
  }
}

export class ChatSidebar extends ReactWidget {
  constructor(private readonly _services: IChatServices) {
    super();
    this.id = 'jupyter-ws-hub-chat';
    this.addClass('jp-WsHub-chat');
    this.title.icon = chatIcon;
    const { rooms } = _services.chat;
    rooms.changed.connect(this._onRooms, this);
    this._onRooms();
  }

  render(): JSX.Element {
    return (
      <ServicesProvider value={this._services}>
        <Header />
        <Views />
      </ServicesProvider>
    );
  }

  dispose(): void {
    this._services.chat.rooms.changed.disconnect(this._onRooms, this);
    super.dispose();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._services.chat.setVisible(true);
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._services.chat.setVisible(false);
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._services.chat.setVisible(this.isVisible);
  }

  /** The tab says how much was not read. */
  private _onRooms(): void {
    const { chat, trans } = this._services;
    const { total } = chat.rooms;
    this.title.className = total > 0 ? 'jp-WsHub-unreadTab' : '';
    this.title.caption =
      total > 0
        ? trans._n('Chat: %1 unread', 'Chat: %1 unread', total)
        : trans.__('Chat');
  }
}
