/**
 * The dialogs of rooms. Only a person opens them.
 */
import {
  Dialog,
  InputDialog,
  ReactWidget,
  showDialog
} from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Room } from '../protocol/generated';
import { ChatModel } from './chatModel';
import { IRoomActions } from './services';
import { exportRoom, save } from './transcripts';
import { titleOf } from './words';

/** What the dialog for a new room is filled with. */
interface INewRoom {
  title: string;
  isPrivate: boolean;
  members: string[];
}

class NewRoomBody extends ReactWidget implements Dialog.IBodyWidget<INewRoom> {
  constructor(private readonly _trans: TranslationBundle) {
    super();
    this.addClass('jp-WsHub-newRoomBody');
  }

  getValue(): INewRoom {
    return this._value;
  }

  render(): JSX.Element {
    const { _trans: trans } = this;
    const set = (more: Partial<INewRoom>) => {
      this._value = { ...this._value, ...more };
      this.update();
    };
    const { title, isPrivate, members } = this._value;
    return (
      <>
        <label>
          {trans.__('Title')}
          <input
            className="jp-mod-styled"
            maxLength={100}
            value={title}
            onChange={event => set({ title: event.target.value })}
          />
        </label>
        <label>
          <input
            type="checkbox"
            checked={isPrivate}
            onChange={event => set({ isPrivate: event.target.checked })}
          />{' '}
          {trans.__('Private: only members know of it')}
        </label>
        {isPrivate && (
          <label>
            {trans.__('Members beside you, by username, one a line')}
            <textarea
              className="jp-mod-styled"
              rows={4}
              defaultValue={members.join('\n')}
              onChange={event => {
                this._value.members = linesOf(event.target.value);
              }}
            />
          </label>
        )}
      </>
    );
  }

  private _value: INewRoom = { title: '', isPrivate: false, members: [] };
}

class MembersBody extends ReactWidget implements Dialog.IBodyWidget<string[]> {
  constructor(
    private readonly _trans: TranslationBundle,
    private _members: string[],
    private readonly _editable: boolean
  ) {
    super();
    this.addClass('jp-WsHub-newRoomBody');
  }

  getValue(): string[] {
    return this._members;
  }

  render(): JSX.Element {
    return (
      <label>
        {this._trans.__('Usernames, one a line')}
        <textarea
          className="jp-mod-styled"
          rows={8}
          readOnly={!this._editable}
          defaultValue={this._members.join('\n')}
          onChange={event => (this._members = linesOf(event.target.value))}
        />
      </label>
    );
  }
}

export const linesOf = (text: string): string[] => [
  ...new Set(
    text
      .split(/[\n,]/)
      .map(line => line.trim())
      .filter(line => line !== '')
  )
];

export class RoomDialogs implements IRoomActions {
  constructor(
    private readonly _chat: ChatModel,
    private readonly _trans: TranslationBundle,
    private readonly _onError: (error: Error) => void
  ) {}

  create(): void {
    this._try(async () => {
      const { button, value } = await showDialog({
        title: this._trans.__('New room'),
        body: new NewRoomBody(this._trans),
        buttons: this._buttons(this._trans.__('Create')),
        focusNodeSelector: 'input'
      });
      if (button.accept && value && value.title.trim() !== '') {
        const { title, isPrivate, members } = value;
        const { rooms } = this._chat;
        const name = await rooms.create(title.trim(), isPrivate, members);
        if (name !== null) {
          this._chat.enter(name);
        }
      }
    });
  }

  rename(room: Room): void {
    this._try(async () => {
      const { button, value } = await InputDialog.getText({
        title: this._trans.__('Rename the room'),
        label: this._trans.__('Title'),
        text: titleOf(room),
        okLabel: this._trans.__('Rename')
      });
      if (button.accept && value !== null && value.trim() !== '') {
        await this._chat.rooms.rename(room.name, value.trim());
      }
    });
  }

  members(room: Room): void {
    this._try(async () => {
      const may = this._chat.isModerator(room.name);
      const { username } = this._chat.me;
      const leave = Dialog.warnButton({
        label: this._trans.__('Leave'),
        actions: ['leave']
      });
      const { button, value } = await showDialog({
        title: this._trans.__('Members of %1', titleOf(room)),
        body: new MembersBody(this._trans, room.members, may),
        buttons: [leave, ...this._buttons(this._trans.__('Save'))]
      });
      const { rooms } = this._chat;
      if (button.actions.includes('leave')) {
        await rooms.members(room.name, [], [username]);
      } else if (button.accept && value && may) {
        const add = value.filter(name => !room.members.includes(name));
        const remove = room.members.filter(name => !value.includes(name));
        if (add.length + remove.length > 0) {
          await rooms.members(room.name, add, remove);
        }
      }
    });
  }

  archive(room: Room): void {
    void this._chat.rooms.archive(room.name, !room.archived);
  }

  remove(room: Room): void {
    this._try(async () => {
      const { button } = await showDialog({
        title: this._trans.__('Delete %1?', titleOf(room)),
        body: this._trans.__(
          'All that was said in it will be gone, for everybody.'
        ),
        buttons: [
          Dialog.cancelButton({ label: this._trans.__('Cancel') }),
          Dialog.warnButton({ label: this._trans.__('Delete') })
        ]
      });
      if (button.accept) {
        await this._chat.rooms.remove(room.name);
      }
    });
  }

  export(room: Room): void {
    this._try(async () => {
      const formats = ['Markdown', 'JSON'];
      const { button, value } = await InputDialog.getItem({
        title: this._trans.__('Export %1', titleOf(room)),
        label: this._trans.__('As'),
        items: formats,
        okLabel: this._trans.__('Export')
      });
      if (button.accept && value !== null) {
        const format = value === 'JSON' ? 'json' : 'markdown';
        const { connections } = this._chat;
        const made = await exportRoom(connections, room.name, format);
        save(made, `${room.name}.${format === 'json' ? 'json' : 'md'}`);
      }
    });
  }

  private _buttons(label: string): Dialog.IButton[] {
    return [
      Dialog.cancelButton({ label: this._trans.__('Cancel') }),
      Dialog.okButton({ label })
    ];
  }

  private _try(run: () => Promise<void>): void {
    run().catch(this._onError);
  }
}
