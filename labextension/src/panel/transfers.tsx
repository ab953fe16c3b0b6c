/**
 * The list of transfers with their bars and buttons, and the button that uploads files.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import {
  closeIcon,
  folderIcon,
  LabIcon,
  refreshIcon,
  runIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';

import { ITransfer } from '../tokens';
import { Action } from './action';
import { ENDED, PanelModel } from './model';
import { transferDetails, transferName } from './words';

/** What the list asks of the page. */
export interface ITransferActions {
  /** Let the user choose files, and upload them; null where the panel's own input must do. */
  onChoose: (() => void) | null;
  /** Upload files that were chosen. */
  onUpload: (files: File[]) => void;
  /** Show a path in the file browser; null where there is none. */
  onReveal: ((path: string) => void) | null;
  /** Let a transfer go on whose file, or files, must be allowed, or chosen, again. */
  onFile: (transfer: ITransfer, what: 'file' | 'files' | 'folder') => void;
}

interface IProps {
  model: PanelModel;
  trans: TranslationBundle;
  actions: ITransferActions;
}

interface IRowProps extends IProps {
  transfer: ITransfer;
}

/** Failures of a tree that are shown by name. */
const MOST_FAILURES = 100;
const PAUSABLE: ReadonlySet<ITransfer['state']> = new Set([
  'waiting',
  'running'
] as const);

const pauseIcon = new LabIcon({
  name: 'jupyter-ws-hub:pause',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M6 5h4v14H6zM14 5h4v14h-4z"/></svg>`
});

/** Pause and resume stand in the same place. */
function Hold({ transfer, model, trans }: IRowProps): JSX.Element | null {
  const name = transferName(transfer, trans);
  const { id, state } = transfer;
  if (PAUSABLE.has(state)) {
    return (
      <Action
        icon={pauseIcon}
        label={trans.__('Pause %1', name)}
        onClick={() => model.pause(id)}
      />
    );
  }
  return state === 'paused' && transfer.here ? (
    <Action
      icon={runIcon}
      label={trans.__('Resume %1', name)}
      onClick={() => model.resume(id)}
    />
  ) : null;
}

function Buttons(props: IRowProps): JSX.Element {
  const { transfer, model, trans, actions } = props;
  const name = transferName(transfer, trans);
  const { id, state, here, lacksFile, path, direction } = transfer;
  const { onReveal } = actions;
  return (
    <span className="jp-WsHub-actions">
      {state === 'done' && direction === 'upload' && onReveal && (
        <Action
          icon={folderIcon}
          label={trans.__('Show %1 in the file browser', name)}
          onClick={() => onReveal(path)}
        />
      )}
      {here && !lacksFile && (state === 'failed' || state === 'cancelled') && (
        <Action
          icon={refreshIcon}
          label={trans.__('Try %1 again', name)}
          onClick={() => model.retry(id)}
        />
      )}
      <Hold {...props} />
      {ENDED.has(state) ? (
        <Action
          icon={closeIcon}
          label={trans.__('Remove %1 from the list', name)}
          onClick={() => model.forget(id)}
        />
      ) : (
        <Action
          icon={closeIcon}
          label={
            direction === 'upload'
              ? trans.__('Cancel the upload of %1', name)
              : trans.__('Cancel the download of %1', name)
          }
          onClick={() => model.cancel(id)}
        />
      )}
    </span>
  );
}

/** What lets an upload go on, or begins it anew, whose page was loaded anew. */
function GoOn({ transfer, trans, actions }: IRowProps): JSX.Element | null {
  const { state, here, lacksFile } = transfer;
  const isLost = lacksFile && (state === 'failed' || state === 'cancelled');
  if (!here || !(state === 'needs-file' || isLost)) {
    return null;
  }
  const choices =
    transfer.kind === 'tree'
      ? ([
          ['folder', trans.__('Choose the folder…')],
          ['files', trans.__('Choose the files…')]
        ] as const)
      : ([['file', trans.__('Choose the file…')]] as const);
  return (
    <div className="jp-WsHub-goOn">
      {choices.map(([what, label]) => (
        <button
          key={what}
          className="jp-Button jp-mod-styled jp-mod-accept"
          onClick={() => actions.onFile(transfer, what)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

function Failures({ transfer, trans }: IRowProps): JSX.Element | null {
  const { failures } = transfer;
  const more = failures.length - MOST_FAILURES;
  return failures.length === 0 ? null : (
    <details className="jp-WsHub-failures">
      <summary>
        {trans._n(
          '%1 file has failed',
          '%1 files have failed',
          failures.length
        )}
      </summary>
      <ul>
        {failures.slice(0, MOST_FAILURES).map(({ path, message }) => (
          <li key={path}>
            <b>{path}</b> {message}
          </li>
        ))}
        {more > 0 && <li>{trans.__('and %1 more', more)}</li>}
      </ul>
    </details>
  );
}

function Row(props: IRowProps): JSX.Element {
  const { transfer, trans } = props;
  const name = transferName(transfer, trans);
  const details = transferDetails(transfer, trans);
  const known = transfer.size > 0 || ENDED.has(transfer.state);
  return (
    <li
      className="jp-WsHub-transfer"
      data-state={transfer.state}
      data-direction={transfer.direction}
      data-here={transfer.here}
    >
      <span className="jp-WsHub-name" title={transfer.path}>
        <span aria-hidden="true">
          {transfer.direction === 'upload' ? '↑ ' : '↓ '}
        </span>
        {name}
      </span>
      <Buttons {...props} />
      <progress
        aria-label={trans.__('Progress of %1', name)}
        value={known ? transfer.written : 1}
        max={known ? Math.max(transfer.size, 1) : 1}
      />
      <div className="jp-WsHub-details" title={details}>
        {!transfer.here && !ENDED.has(transfer.state) && (
          <span
            className="jp-WsHub-elsewhere"
            title={trans.__('Begun in another window, or from a shell')}
          >
            {trans.__('elsewhere')}
          </span>
        )}
        {details}
      </div>
      <GoOn {...props} />
      <Failures {...props} />
    </li>
  );
}

export function Transfers(props: IProps): JSX.Element {
  const { model, trans, actions } = props;
  const input = React.useRef<HTMLInputElement>(null);
  const choose = actions.onChoose ?? (() => input.current?.click());
  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={trans.__('Files to upload')}
        onChange={event => {
          actions.onUpload([...(event.target.files ?? [])]);
          event.target.value = '';
        }}
      />
      <div className="jp-WsHub-buttons">
        <button
          className="jp-Button jp-mod-styled jp-mod-accept jp-WsHub-upload"
          onClick={choose}
        >
          {trans.__('Upload files…')}
        </button>
        <button
          className="jp-Button jp-mod-minimal jp-WsHub-clear"
          disabled={!model.hasEnded}
          onClick={() => model.clearEnded()}
        >
          {trans.__('Clear finished')}
        </button>
      </div>
      {model.transfers.length === 0 ? (
        <p className="jp-WsHub-empty">
          {trans.__(
            'No transfers yet. Drop files or folders here to upload them to the folder that the file browser shows.'
          )}
        </p>
      ) : (
        <ul className="jp-WsHub-transfers" aria-label={trans.__('Transfers')}>
          {model.transfers.map(transfer => (
            <Row key={transfer.id} transfer={transfer} {...props} />
          ))}
        </ul>
      )}
    </>
  );
}
