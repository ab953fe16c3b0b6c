/**
 * A small button with an icon.
 */
import { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

export function Action(props: {
  icon: LabIcon;
  label: string;
  onClick: () => void;
}): JSX.Element {
  const { icon, label, onClick } = props;
  return (
    <button
      className="jp-WsHub-iconButton"
      aria-label={label}
      title={label}
      onClick={onClick}
    >
      <icon.react tag="span" width="14px" height="14px" aria-hidden="true" />
    </button>
  );
}
