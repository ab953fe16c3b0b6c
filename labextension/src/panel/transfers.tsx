/**
 * The list of transfers with their bars, and the button that uploads files.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { ITransfer } from '../tokens';
import { PanelModel } from './model';
import { transferDetails } from './words';

const ENDED: ReadonlySet<ITransfer['state']> = new Set([
  'done',
  'failed',
  'cancelled'
] as const);

function Row(props: {
  transfer: ITransfer;
  model: PanelModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { transfer, model, trans } = props;
  const name = transfer.path.split('/').pop() ?? transfer.path;
  return (
    <li className="jp-WsHub-transfer" data-state={transfer.state}>
      <span className="jp-WsHub-name" title={transfer.path}>
        {name}
      </span>
      {!ENDED.has(transfer.state) && (
        <button
          className="jp-Button jp-mod-minimal jp-WsHub-cancel"
          aria-label={trans.__('Cancel the upload of %1', name)}
          onClick={() => void model.cancel(transfer.id)}
        >
          {trans.__('Cancel')}
        </button>
      )}
      <progress
        aria-label={trans.__('Progress of %1', name)}
        value={transfer.size === 0 ? 1 : transfer.written}
        max={transfer.size === 0 ? 1 : transfer.size}
      />
      <div className="jp-WsHub-details">{transferDetails(transfer, trans)}</div>
    </li>
  );
}

export function Transfers(props: {
  model: PanelModel;
  trans: TranslationBundle;
  onUpload: (files: File[]) => void;
}): JSX.Element {
  const { model, trans, onUpload } = props;
  const input = React.useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={trans.__('Files to upload')}
        onChange={event => {
          onUpload([...(event.target.files ?? [])]);
          event.target.value = '';
        }}
      />
      <button
        className="jp-Button jp-mod-styled jp-mod-accept jp-WsHub-upload"
        onClick={() => input.current?.click()}
      >
        {trans.__('Upload files…')}
      </button>
      {model.transfers.length === 0 ? (
        <p className="jp-WsHub-empty">{trans.__('No transfers yet.')}</p>
      ) : (
        <ul className="jp-WsHub-transfers" aria-label={trans.__('Transfers')}>
          {model.transfers.map(transfer => (
            <Row
              key={transfer.id}
              transfer={transfer}
              model={model}
              trans={trans}
            />
          ))}
        </ul>
      )}
    </>
  );
}
