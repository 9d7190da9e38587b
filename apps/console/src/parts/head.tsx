// The first row of a table.

interface HeadProps {
  /** Titles, those of figures and of what narrow windows hide with their class. */
  readonly titles: readonly (string | readonly [title: string, className: string])[];
}

export function Head({ titles }: HeadProps) {
  return (
    <thead>
      <tr>
        {titles.map((of) => {
          const [title, className] = typeof of === "string" ? [of] : of;
          return (
            <th key={title} scope="col" className={className}>
              {title}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}
