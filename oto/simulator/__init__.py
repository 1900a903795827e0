"""An independent program that speaks Binance Alpha's wire protocol on localhost."""
