/**
 * What is attached, as small labels.
 */
import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Attachment } from '../protocol/generated';
import { useServices } from './services';
import { attachmentName } from './words';

export function AttachmentChips(props: {
  attachments: readonly Attachment[];
  onOpen: (attachment: Attachment) => void;
  onRemove?: (attachment: Attachment) => void;
}): JSX.Element {
  const { trans } = useServices();
  return (
    <ul className="jp-WsHub-chips" aria-label={trans.__('Attachments')}>
      {props.attachments.map((attachment, index) => {
        const name = attachmentName(attachment, trans);
        return (
          <li key={index} className="jp-WsHub-chip">
            <button
              className="jp-WsHub-chipName"
              title={attachment.text || attachment.path}
              disabled={attachment.path === ''}
              onClick={() => props.onOpen(attachment)}
            >
              {name}
            </button>
            {props.onRemove && (
              <button
                className="jp-WsHub-chipRemove"
                title={trans.__('Do not attach %1', name)}
                aria-label={trans.__('Do not attach %1', name)}
                onClick={() => props.onRemove?.(attachment)}
              >
                <closeIcon.react tag="span" width="12px" />
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}
