/**
 * What can be done with a piece of code in a message: into the notebook that the person has open, or the clipboard.
 */
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { Clipboard } from '@jupyterlab/apputils';

export type CodeAction = 'insert' | 'replace' | 'below' | 'copy';

export const CODE_ACTIONS: readonly CodeAction[] = [
  'insert',
  'replace',
  'below',
  'copy'
];

export class CodeActions {
  constructor(private readonly _notebooks: INotebookTracker | null) {}

  /** Whether there is a cell that may be written to; copying can always be done. */
  can(action: CodeAction): boolean {
    if (action === 'copy') {
      return true;
    }
    const notebook = this._notebooks?.currentWidget?.content;
    const cell = notebook?.activeCell;
    return (
      !!cell &&
      notebook?.model?.readOnly === false &&
      (action === 'below' || cell.model.getMetadata('editable') !== false)
    );
  }

  do(action: CodeAction, code: string): void {
    if (action === 'copy') {
      Clipboard.copyToSystem(code);
      return;
    }
    const notebook = this._notebooks?.currentWidget?.content;
    const cell = notebook?.activeCell;
    if (!notebook || !cell || !this.can(action)) {
      return;
    }
    if (action === 'below') {
      NotebookActions.insertBelow(notebook);
      notebook.activeCell?.model.sharedModel.setSource(code);
    } else if (action === 'replace' || !cell.editor) {
      cell.model.sharedModel.setSource(code);
    } else {
      cell.editor.replaceSelection?.(code);
    }
  }
}
