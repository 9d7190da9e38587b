// A page that the navigation, the shortcuts and the palette lead to.

export interface Place {
  /** The second key of its shortcut, after g. */
  readonly key: string;
  readonly to: string;
  readonly label: string;
}
