/**
 * The dialogs of rooms. Only a person opens them.
 */
import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { ChatMessage, Room } from '../protocol/generated';
import { ChatModel } from './chatModel';
import { RoomModel } from './roomModel';
import { INewRoom, MembersForm, NewRoomForm, TitleForm } from './roomForms';
import { IRoomActions } from './services';
import { exportRoom, save } from './transcripts';
import { firstLine, titleOf } from './words';

/** A form in a dialog. */
interface IQuestion<T> {
  readonly title: string;
  /** What the button says that takes what is filled in; without it there is only one that closes. */
  readonly ok?: string;
  readonly more?: readonly Dialog.IButton[];
  readonly value: T;
  readonly form: (value: T, error: string | null) => Dialog.IBodyWidget<T>;
  /** Do it; what is wrong with it is raised, and the dialog comes back with it. */
  readonly take: (value: T, actions: readonly string[]) => Promise<void>;
}

export class RoomDialogs implements IRoomActions {
  constructor(
    private readonly _chat: ChatModel,
    private readonly _trans: TranslationBundle,
    private readonly _onError: (error: Error) => void
  ) {}

  create(): void {
    const { rooms } = this._chat;
    this._ask<INewRoom>({
      title: this._trans.__('New room'),
      ok: this._trans.__('Create'),
      value: { title: '', isPrivate: false, members: [] },
      form: (value, error) => new NewRoomForm(this._trans, value, error),
      take: async ({ title, isPrivate, members }) => {
        const name = await rooms.create(title.trim(), isPrivate, [...members]);
        this._chat.enter(name);
      }
    });
  }

  rename(room: Room): void {
    this._ask<string>({
      title: this._trans.__('Rename the room'),
      ok: this._trans.__('Rename'),
      value: titleOf(room),
      form: (value, error) => new TitleForm(this._trans, value, error),
      take: title => this._chat.rooms.rename(room.name, title.trim())
    });
  }

  members(room: Room): void {
    const { rooms, me } = this._chat;
    const may = this._chat.isModerator(room.name);
    const leave = Dialog.warnButton({
      label: this._trans.__('Leave'),
      actions: ['leave']
    });
    this._ask<readonly string[]>({
      title: this._trans.__('Members of %1', titleOf(room)),
      ...(may ? { ok: this._trans.__('Save') } : {}),
      more: [leave],
      value: room.members,
      form: (value, error) => new MembersForm(this._trans, value, error, may),
      take: async (value, actions) => {
        const left = actions.includes('leave');
        const add = value.filter(name => !room.members.includes(name));
        const remove = room.members.filter(name => !value.includes(name));
        if (left) {
          await rooms.members(room.name, [], [me.username]);
        } else if (add.length + remove.length > 0) {
          await rooms.members(room.name, add, remove);
        }
      }
    });
  }

  archive(room: Room): void {
    this._try(() => this._chat.rooms.archive(room.name, !room.archived));
  }

  remove(room: Room): void {
    this._try(async () => {
      const sure = await this._isSure(
        this._trans.__('Delete the room “%1”?', titleOf(room)),
        this._trans.__('All that was said in it will be gone, for everybody.')
      );
      if (sure) {
        await this._chat.rooms.remove(room.name);
      }
    });
  }

  removeMessage(model: RoomModel, { id, text }: ChatMessage): void {
    this._try(async () => {
      const sure = await this._isSure(
        this._trans.__('Delete the message?'),
        this._trans.__(
          'Its text will be gone, for everybody: “%1”',
          firstLine(text)
        )
      );
      if (sure) {
        await model.delete(id);
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

  /** Whether the user wants what cannot be undone: a key that was pressed once too often is no yes. */
  private async _isSure(title: string, body: string): Promise<boolean> {
    const { button } = await showDialog({
      title,
      body,
      buttons: [
        Dialog.cancelButton({ label: this._trans.__('Cancel') }),
        Dialog.warnButton({ label: this._trans.__('Delete') })
      ],
      defaultButton: 0
    });
    return button.accept;
  }

  /** Ask until what is filled in is taken, or the user thinks better of it. */
  private _ask<T>({ title, ok, more = [], form, ...rest }: IQuestion<T>): void {
    const { _trans: trans } = this;
    const cancel = Dialog.cancelButton({
      label: ok === undefined ? trans.__('Close') : trans.__('Cancel')
    });
    const accept = ok === undefined ? [] : [Dialog.okButton({ label: ok })];
    this._try(async () => {
      let { value } = rest;
      let error: string | null = null;
      for (;;) {
        const answer: Dialog.IResult<T> = await showDialog({
          title,
          body: form(value, error),
          buttons: [...more, cancel, ...accept],
          focusNodeSelector: 'input, textarea'
        });
        if (!answer.button.accept || answer.value === null) {
          return;
        }
        value = answer.value;
        try {
          await rest.take(value, answer.button.actions);
          return;
        } catch (refused) {
          error = (refused as Error).message;
        }
      }
    });
  }

  private _try(run: () => Promise<void>): void {
    run().catch(this._onError);
  }
}
