export const root: string;
export function isBuilt(): boolean;
export function ensureBuilt(log?: (line: string) => void): Promise<void>;
