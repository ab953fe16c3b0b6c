/**
 * What the user is about to say in a room: a new message, a reply or another text for one of before; and what goes along.
 */
import { ISignal, Signal } from '@lumino/signaling';

import { HubError } from '../protocol/errors';
import { Asked, Attachment, ChatMessage } from '../protocol/generated';
import { AssistantList } from './assistants';
import { Outbox } from './outbox';
import { RoomModel } from './roomModel';

export const MAX_ATTACHMENTS = 10;
export const MAX_TEXT = 20_000;

/** What the input is for. */
export type Purpose =
  | { readonly kind: 'new' }
  | { readonly kind: 'reply' | 'edit'; readonly message: ChatMessage };

const NEW: Purpose = { kind: 'new' };

export class Composer {
  constructor(
    private readonly _model: RoomModel,
    private readonly _outbox: Outbox,
    private readonly _assistants: AssistantList,
    private readonly _onError: (error: Error) => void
  ) {}

  /** Emitted when the purpose or the attachments have changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted with a text that is to stand in the input, which gets the focus; null leaves the text. */
  get filled(): ISignal<this, string | null> {
    return this._filled;
  }

  get purpose(): Purpose {
    return this._purpose;
  }

  get attachments(): readonly Attachment[] {
    return this._attachments;
  }

  reply(message: ChatMessage): void {
    this._purpose = { kind: 'reply', message };
    this._changed.emit();
    this._filled.emit(null);
  }

  edit(message: ChatMessage): void {
    this._purpose = { kind: 'edit', message };
    this._changed.emit();
    this._filled.emit(message.text);
  }

  /** Neither reply nor edit. */
  cancel(): void {
    const wasEdit = this._purpose.kind === 'edit';
    this._purpose = NEW;
    this._changed.emit();
    this._filled.emit(wasEdit ? '' : null);
  }

  /** Attach something, unless it is attached. */
  attach(attachment: Attachment): void {
    const key = JSON.stringify(attachment);
    if (this._attachments.some(other => JSON.stringify(other) === key)) {
      return;
    }
    this._attachments = [...this._attachments, attachment].slice(
      -MAX_ATTACHMENTS
    );
    this._changed.emit();
  }

  detach(attachment: Attachment): void {
    this._attachments = this._attachments.filter(other => other !== attachment);
    this._changed.emit();
  }

  /** Say it. At once it is on its way or in the outbox; false if it was not taken, and why is told. */
  send(text: string): boolean {
    const said = text.trim();
    if (said === '') {
      return false;
    }
    try {
      if (said.length > MAX_TEXT) {
        const words = `A message has at most ${MAX_TEXT} characters; this one has ${said.length}. Attach a file instead.`;
        throw HubError.of('too_big', words);
      }
      this._say(said);
    } catch (error) {
      this._onError(error as Error);
      return false;
    }
    this._purpose = NEW;
    this._changed.emit();
    return true;
  }

  /** Have an answer's question answered anew, by the same assistant and model. */
  askAgain({ author, answer }: ChatMessage): void {
    if (answer) {
      const model = answer.model;
      const known = this._assistants.get(author.username)?.models ?? [];
      const ask: Asked = {
        assistant: author.username,
        model: known.includes(model) ? model : ''
      };
      void this._model.ask(answer.to, ask);
      this._model.place.toNewest();
    }
  }

  private _say(text: string): void {
    const { _purpose: purpose } = this;
    if (purpose.kind === 'edit') {
      void this._model.edit(purpose.message, text);
      return;
    }
    const { room } = this._model;
    const chosen = this._assistants.chosen(room);
    this._outbox.add({
      ...{ room, text, attachments: this._attachments },
      replyTo: purpose.kind === 'reply' ? purpose.message.id : '',
      ask: chosen ? [chosen] : []
    });
    this._attachments = [];
    // Wherever they were reading, they see what they have said.
    this._model.place.toNewest();
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _filled = new Signal<this, string | null>(this);
  private _purpose: Purpose = NEW;
  private _attachments: readonly Attachment[] = [];
}

/** An attachment with what matters to it. */
export function attachment(
  kind: Attachment['kind'],
  more: Partial<Attachment>
): Attachment {
  return { kind, path: '', cell: '', text: '', language: '', ...more };
}
