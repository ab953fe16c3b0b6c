/**
 * One question for a whole upload: what to do with the names that are taken.
 */
import { Dialog, DOMUtils } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { bytes } from '../panel/words';
import { IfExists, IUploadConflict, IUploadItem } from '../tokens';

/** What to do with one name, or with all. */
export type Choice = Extract<IfExists, 'overwrite' | 'rename' | 'skip'>;

/** What was decided, by the items' paths. */
export type Decided = ReadonlyMap<
  string,
  { ifExists: IfExists; etag?: string }
>;

/** What the question is about. */
export interface IQuestion {
  readonly items: readonly IUploadItem[];
  readonly conflicts: readonly IUploadConflict[];
  /** The directory into which it goes; empty for the root. */
  readonly directory: string;
}

/** More rows than these slow the page down, and nobody reads them: what is chosen for all counts for the others. */
const MOST_ROWS = 500;
const CHOICES: readonly Choice[] = ['rename', 'overwrite', 'skip'];
const ROW_CHOICES: readonly Choice[] = ['rename', 'skip'];

/** Ask; null if nothing is to be uploaded. */
export async function askConflicts(
  question: IQuestion,
  trans: TranslationBundle
): Promise<Decided | null> {
  const body = new ConflictsBody(question, trans);
  const { conflicts } = question;
  const dialog = new Dialog<Decided>({
    title: trans._n('%1 name is taken', '%1 names are taken', conflicts.length),
    body,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel the upload') }),
      Dialog.okButton({ label: trans.__('Upload') })
    ],
    focusNodeSelector: '.jp-WsHub-forAll input:checked'
  });
  dialog.addClass('jp-WsHub-conflictsDialog');
  const { button, value } = await dialog.launch();
  return button.accept ? value : null;
}

/** What can be done: a directory is never replaced by a file, nor a file by a directory. */
export function choicesFor(
  conflict: IUploadConflict,
  item: IUploadItem | undefined
): readonly Choice[] {
  const isFile = conflict.type === 'file' && item?.file !== null;
  return isFile ? CHOICES : ROW_CHOICES;
}

/** The body of the dialog; its value is what was decided. */
export class ConflictsBody
  extends ReactWidget
  implements Dialog.IBodyWidget<Decided>
{
  constructor(
    private readonly _question: IQuestion,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.id = DOMUtils.createDomID();
    this.addClass('jp-WsHub-conflicts');
    this._items = new Map(_question.items.map(item => [item.path, item]));
  }

  /** Choose for all; rows that were chosen before follow. */
  chooseForAll(choice: Choice): void {
    this._forAll = choice;
    this._chosen.clear();
    this.update();
  }

  /** Choose for one name. */
  choose(path: string, choice: Choice): void {
    this._chosen.set(path, choice);
    this.update();
  }

  getValue(): Decided {
    const decided = new Map<string, { ifExists: IfExists; etag?: string }>();
    for (const conflict of this._question.conflicts) {
      const ifExists = this._choice(conflict);
      // What is replaced must still be what was asked about.
      const expected = ifExists === 'overwrite' ? { etag: conflict.etag } : {};
      decided.set(conflict.path, { ifExists, ...expected });
    }
    return decided;
  }

  render(): JSX.Element {
    const { _trans: trans } = this;
    const { conflicts } = this._question;
    const more = conflicts.length - MOST_ROWS;
    return (
      <>
        <p>{this._summary()}</p>
        {this._renderForAll()}
        <div className="jp-WsHub-conflictList">
          <table>
            <thead>
              <tr>
                <th scope="col">{trans.__('Name')}</th>
                <th scope="col">{trans.__('There now')}</th>
                <th scope="col">{trans.__('To upload')}</th>
                <th scope="col">{trans.__('What to do')}</th>
              </tr>
            </thead>
            <tbody>
              {conflicts
                .slice(0, MOST_ROWS)
                .map(conflict => this._renderRow(conflict))}
            </tbody>
          </table>
        </div>
        {more > 0 && (
          <p>
            {trans._n(
              'And %1 more, for which the choice for all counts.',
              'And %1 more, for which the choice for all counts.',
              more
            )}
          </p>
        )}
      </>
    );
  }

  private _renderForAll(): JSX.Element {
    return (
      <fieldset className="jp-WsHub-forAll">
        <legend>{this._trans.__('For all')}</legend>
        {CHOICES.map(choice => (
          <label key={choice}>
            <input
              type="radio"
              name={`${this.id}-all`}
              checked={this._forAll === choice}
              onChange={() => this.chooseForAll(choice)}
            />
            {choiceName(choice, this._trans)}
          </label>
        ))}
      </fieldset>
    );
  }

  private _renderRow(conflict: IUploadConflict): JSX.Element {
    const { path, type, size, modified } = conflict;
    const { _trans: trans } = this;
    const item = this._items.get(path);
    const file = item?.file;
    const directory = trans.__('folder');
    return (
      <tr key={path}>
        <th scope="row" title={path}>
          {path}
        </th>
        <td>
          {type === 'directory' ? directory : bytes(size)}
          <time>{when(modified)}</time>
        </td>
        <td>
          {file ? bytes(file.size) : directory}
          {file && <time>{when(file.lastModified)}</time>}
        </td>
        <td>
          <select
            aria-label={trans.__('What to do with %1', path)}
            value={this._choice(conflict)}
            onChange={event => this.choose(path, event.target.value as Choice)}
          >
            {choicesFor(conflict, item).map(choice => (
              <option key={choice} value={choice}>
                {choiceName(choice, trans)}
              </option>
            ))}
          </select>
        </td>
      </tr>
    );
  }

  private _summary(): string {
    const { items, directory } = this._question;
    const files = items.filter(item => item.file !== null);
    const size = files.reduce((sum, { file }) => sum + (file?.size ?? 0), 0);
    return this._trans._n(
      '%1 file, %2, into %3.',
      '%1 files, %2, into %3.',
      files.length,
      bytes(size),
      directory === '' ? this._trans.__('the top folder') : directory
    );
  }

  private _choice(conflict: IUploadConflict): Choice {
    const wanted = this._chosen.get(conflict.path) ?? this._forAll;
    const possible = choicesFor(conflict, this._items.get(conflict.path));
    return possible.includes(wanted) ? wanted : 'rename';
  }

  private readonly _items: ReadonlyMap<string, IUploadItem>;
  private readonly _chosen = new Map<string, Choice>();
  private _forAll: Choice = 'rename';
}

function choiceName(choice: Choice, trans: TranslationBundle): string {
  switch (choice) {
    case 'overwrite':
      return trans.__('Replace');
    case 'rename':
      return trans.__('Keep both');
    case 'skip':
      return trans.__('Skip');
  }
}

function when(ms: number): string {
  return new Date(ms).toLocaleString([], {
    dateStyle: 'medium',
    timeStyle: 'short'
  });
}
