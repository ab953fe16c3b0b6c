/**
 * What a person can attach to a message, out of what they have open. Nothing is attached, saved or read unasked.
 */
import { Cell, CodeCell } from '@jupyterlab/cells';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { DocumentRegistry, IDocumentWidget } from '@jupyterlab/docregistry';
import { FileDialog } from '@jupyterlab/filebrowser';
import { IEditorTracker } from '@jupyterlab/fileeditor';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator } from '@jupyterlab/translation';

import { Attachment } from '../protocol/generated';
import { TRANSLATION_DOMAIN } from '../server';
import { attachment } from './composer';

/** A kind of thing that can be attached now. */
export type Attachable = 'selection' | 'cell' | 'notebook' | 'file';

export const MAX_SELECTION = 20_000;

/** Where attachments come from. */
export interface IAttachmentSource {
  /** What there is to attach now. */
  available(): Attachable[];
  /** What a person has chosen; nothing if they have thought better of it. */
  take(kind: Attachable): Promise<Attachment[]>;
  /** Open what is attached. */
  open(attachment: Attachment): void;
}

export interface ISourceOptions {
  notebooks: INotebookTracker | null;
  editors: IEditorTracker | null;
  documents: IDocumentManager;
  translator: ITranslator;
  /** Say that a document is saved, for the server reads what is saved. */
  onSaving: (path: string) => void;
  /** The widget that the person has looked at last. */
  current: () => unknown;
}

export class AttachmentSource implements IAttachmentSource {
  constructor(private readonly _options: ISourceOptions) {}

  available(): Attachable[] {
    const kinds: Attachable[] = [];
    if (this._selection() !== null) {
      kinds.push('selection');
    }
    if (this._panel()?.content.activeCell) {
      kinds.push('cell');
    }
    if (this._panel()) {
      kinds.push('notebook');
    }
    return [...kinds, 'file'];
  }

  async take(kind: Attachable): Promise<Attachment[]> {
    switch (kind) {
      case 'selection': {
        const selection = this._selection();
        return selection ? [selection] : [];
      }
      case 'cell': {
        const panel = this._panel();
        const cell = panel?.content.activeCell;
        if (!panel || !cell) {
          return [];
        }
        await this._save(panel.context);
        const { path } = panel.context;
        return [attachment('cell', { path, cell: cell.model.id })];
      }
      case 'notebook': {
        const panel = this._panel();
        if (!panel) {
          return [];
        }
        await this._save(panel.context);
        return [attachment('notebook', { path: panel.context.path })];
      }
      case 'file':
        return this._files();
    }
  }

  open({ path }: Attachment): void {
    if (path !== '') {
      this._options.documents.openOrReveal(path);
    }
  }

  private async _files(): Promise<Attachment[]> {
    const { documents, translator } = this._options;
    const trans = translator.load(TRANSLATION_DOMAIN);
    const { value } = await FileDialog.getOpenFiles({
      manager: documents,
      title: trans.__('Attach files'),
      translator
    });
    const files = (value ?? []).filter(({ type }) => type !== 'directory');
    for (const { path } of files) {
      const [widget] = this._openWidgets(path);
      if (widget) {
        await this._save(widget.context);
      }
    }
    return files.map(({ type, path }) =>
      attachment(type === 'notebook' ? 'notebook' : 'file', { path })
    );
  }

  private _openWidgets(path: string): IDocumentWidget[] {
    const widget = this._options.documents.findWidget(path, null);
    return widget ? [widget] : [];
  }

  /** What is read on the server is what is saved. */
  private async _save(context: DocumentRegistry.Context): Promise<void> {
    if (context.model.dirty && !context.model.readOnly) {
      this._options.onSaving(context.path);
      await context.save();
    }
  }

  /** The notebook that the person has looked at last, unless it was something else. */
  private _panel(): NotebookPanel | null {
    const { notebooks } = this._options;
    const panel = notebooks?.currentWidget ?? null;
    return panel && !panel.isDisposed ? panel : null;
  }

  /** What is selected in the editor or cell that was used last. */
  private _selection(): Attachment | null {
    const { editors, current } = this._options;
    const editor = editors?.currentWidget ?? null;
    if (editor && (current() === editor || !this._panel())) {
      const { path } = editor.context;
      const { editor: code, model } = editor.content;
      return selected(code, path, languageOf(model.mimeType));
    }
    const panel = this._panel();
    const cell = panel?.content.activeCell;
    if (panel && cell?.editor) {
      const language = cellLanguage(panel, cell);
      return selected(cell.editor, panel.context.path, language);
    }
    return null;
  }
}

type Editor = NonNullable<Cell['editor']>;

function selected(
  editor: Editor,
  path: string,
  language: string
): Attachment | null {
  const { start, end } = editor.getSelection();
  const from = editor.getOffsetAt(start);
  const to = editor.getOffsetAt(end);
  const text = editor.model.sharedModel
    .getSource()
    .slice(Math.min(from, to), Math.max(from, to))
    .slice(0, MAX_SELECTION);
  return text.trim() === ''
    ? null
    : attachment('selection', { path, text, language });
}

function cellLanguage(panel: NotebookPanel, cell: Cell): string {
  return cell instanceof CodeCell
    ? (panel.model?.defaultKernelLanguage ?? '')
    : 'markdown';
}

const languageOf = (mimeType: string) =>
  mimeType.replace(/^text\/(x-)?/, '').slice(0, 40);
