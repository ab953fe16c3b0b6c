/**
 * What is filled in in the dialogs of rooms.
 */
import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

const LONGEST_TITLE = 100;

/** A form: what is filled in, and why it was not taken the last time. */
abstract class Form<T> extends ReactWidget implements Dialog.IBodyWidget<T> {
  constructor(
    protected readonly trans: TranslationBundle,
    protected value: T,
    private readonly _error: string | null
  ) {
    super();
    this.addClass('jp-WsHub-form');
  }

  getValue(): T {
    return this.value;
  }

  render(): JSX.Element {
    return (
      <>
        {this._error !== null && (
          <p className="jp-WsHub-formError" role="alert">
            {this._error}
          </p>
        )}
        {this.fields()}
      </>
    );
  }

  protected abstract fields(): JSX.Element;

  protected set(value: T): void {
    this.value = value;
    this.update();
  }

  /** A title that is not empty; all of it is selected when it gets the focus, so that another can be typed. */
  protected titleField(
    title: string,
    onChange: (title: string) => void
  ): JSX.Element {
    return (
      <label>
        {this.trans.__('Title')}
        <input
          className="jp-mod-styled"
          maxLength={LONGEST_TITLE}
          required
          pattern=".*\S.*"
          value={title}
          ref={checked}
          onFocus={event => event.target.select()}
          onChange={event => onChange(event.target.value)}
        />
      </label>
    );
  }

  /** Usernames, one a line. */
  protected namesField(
    label: string,
    names: readonly string[],
    onChange: ((names: string[]) => void) | null
  ): JSX.Element {
    return (
      <label>
        {label}
        <textarea
          className="jp-mod-styled"
          rows={4}
          spellCheck={false}
          readOnly={onChange === null}
          defaultValue={names.join('\n')}
          onChange={event => onChange?.(linesOf(event.target.value))}
        />
      </label>
    );
  }
}

/** Have the dialog look whether what a field begins with can be taken: it does so at each key only. */
function checked(field: HTMLInputElement | null): void {
  field?.dispatchEvent(new Event('input', { bubbles: true }));
}

export interface INewRoom {
  readonly title: string;
  readonly isPrivate: boolean;
  readonly members: readonly string[];
}

export class NewRoomForm extends Form<INewRoom> {
  protected fields(): JSX.Element {
    const { trans, value } = this;
    return (
      <>
        {this.titleField(value.title, title => this.set({ ...value, title }))}
        <label>
          <input
            type="checkbox"
            checked={value.isPrivate}
            onChange={event =>
              this.set({ ...value, isPrivate: event.target.checked })
            }
          />{' '}
          {trans.__('Private: only its members can see it')}
        </label>
        {value.isPrivate &&
          this.namesField(
            trans.__('Members beside you: usernames, one a line'),
            value.members,
            members => this.set({ ...this.value, members })
          )}
      </>
    );
  }
}

export class TitleForm extends Form<string> {
  protected fields(): JSX.Element {
    return this.titleField(this.value, title => this.set(title));
  }
}

export class MembersForm extends Form<readonly string[]> {
  constructor(
    trans: TranslationBundle,
    members: readonly string[],
    error: string | null,
    private readonly _editable: boolean
  ) {
    super(trans, members, error);
  }

  protected fields(): JSX.Element {
    return this.namesField(
      this._editable
        ? this.trans.__('Usernames, one a line')
        : this.trans.__('Usernames'),
      this.value,
      this._editable ? names => this.set(names) : null
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
