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

/** What is written and not sent yet. */
export interface IDraft {
  readonly text: string;
  readonly purpose: Purpose;
  readonly attachments: readonly Attachment[];
}

const NEW: Purpose = { kind: 'new' };

export class Composer {
  /** `draft` is what was written in this room before. */
  constructor(
    private readonly _model: RoomModel,
    private readonly _outbox: Outbox,
    private readonly _assistants: AssistantList,
    private readonly _onError: (error: Error) => void,
    draft?: IDraft
  ) {
    this._text = draft?.text ?? '';
    this._purpose = draft?.purpose ?? NEW;
    this._attachments = draft?.attachments ?? [];
  }

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

  /** What stands in the input, or is to stand there when it is shown. */
  get text(): string {
    return this._text;
  }

  /** All of it, to go on with when the room is opened again. */
  get draft(): IDraft {
    const { _text: text, _purpose: purpose } = this;
    return { text, purpose, attachments: this._attachments };
  }

  get attachments(): readonly Attachment[] {
    return this._attachments;
  }

  /** The user has changed what stands in the input. */
  typed(text: string): void {
    this._text = text;
  }

  reply(message: ChatMessage): void {
    // What stands in the input is another message's text while that is edited.
    const text = this._isEdit ? this._takeAside().text : null;
    this._become({ kind: 'reply', message }, text);
  }

  edit(message: ChatMessage): void {
    if (!this._isEdit) {
      this._putAside();
    }
    this._become({ kind: 'edit', message }, message.text);
  }

  /** Neither reply nor edit; what was written before an edit comes back. */
  cancel(): void {
    if (this._isEdit) {
      const { purpose, text } = this._takeAside();
      this._become(purpose, text);
    } else {
      this._become(NEW, null);
    }
  }

  /** Attach something, unless it is attached. */
  attach(attachment: Attachment): void {
    const key = JSON.stringify(attachment);
    if (this._attachments.some(other => JSON.stringify(other) === key)) {
      return;
    }
    if (this._attachments.length >= MAX_ATTACHMENTS) {
      const words = `A message has at most ${MAX_ATTACHMENTS} attachments.`;
      this._onError(HubError.of('too_big', words));
      return;
    }
    this._attachments = [...this._attachments, attachment];
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
    const next = this._isEdit ? this._takeAside() : { purpose: NEW, text: '' };
    this._purpose = next.purpose;
    this._text = next.text;
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
      void this._change(purpose.message, text);
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

  /** Change a message. What is refused, because somebody was faster say, comes back into the input. */
  private async _change(message: ChatMessage, text: string): Promise<void> {
    if (await this._model.edit(message, text)) {
      return;
    }
    const now = this._model.get(message.id);
    if (now && !now.deleted) {
      this._putAside();
      this._become({ kind: 'edit', message: now }, text);
    } else if (this._purpose.kind === 'new' && this._text.trim() === '') {
      this._become(NEW, text);
    }
  }

  private get _isEdit(): boolean {
    return this._purpose.kind === 'edit';
  }

  private _putAside(): void {
    this._aside.push({ purpose: this._purpose, text: this._text });
  }

  private _takeAside(): Pick<IDraft, 'purpose' | 'text'> {
    return this._aside.pop() ?? { purpose: NEW, text: '' };
  }

  private _become(purpose: Purpose, text: string | null): void {
    this._purpose = purpose;
    this._text = text ?? this._text;
    this._changed.emit();
    this._filled.emit(text);
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _filled = new Signal<this, string | null>(this);
  /** What was written when a message began to be edited, the newest last. */
  private readonly _aside: Pick<IDraft, 'purpose' | 'text'>[] = [];
  private _text: string;
  private _purpose: Purpose;
  private _attachments: readonly Attachment[];
}

/** An attachment with what matters to it. */
export function attachment(
  kind: Attachment['kind'],
  more: Partial<Attachment>
): Attachment {
  return { kind, path: '', cell: '', text: '', language: '', ...more };
}
