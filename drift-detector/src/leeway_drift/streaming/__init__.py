"""From a stream of rows to ticks and windows, in bounded memory and in any order of arrival."""
