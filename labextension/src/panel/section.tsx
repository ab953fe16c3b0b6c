/**
 * A part of the panel with a heading that folds it.
 */
import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Folds } from './folds';

export function Section(props: {
  /** Its name in ids. */
  id: string;
  title: string;
  folds: Folds;
  /** A few words beside the title, also while it is folded. */
  note?: string | null;
  children: React.ReactNode;
}): JSX.Element {
  const { id, title, folds, note, children } = props;
  const [isOpen, setOpen] = React.useState(() => !folds.isFolded(id));
  const toggle = () => {
    setOpen(!isOpen);
    folds.set(id, isOpen);
  };
  const Caret = isOpen ? caretDownIcon : caretRightIcon;
  const [head, body] = [`jp-WsHub-${id}-head`, `jp-WsHub-${id}-body`];
  return (
    <section className="jp-WsHub-section" aria-labelledby={head} data-id={id}>
      <h2>
        <button
          id={head}
          aria-expanded={isOpen}
          aria-controls={body}
          onClick={toggle}
        >
          <Caret.react tag="span" width="16px" height="16px" aria-hidden />
          <span>{title}</span>
          {note ? <span className="jp-WsHub-note">{note}</span> : null}
        </button>
      </h2>
      <div id={body} hidden={!isOpen}>
        {children}
      </div>
    </section>
  );
}
